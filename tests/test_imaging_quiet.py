"""Pillow's warnings are hidden, other warnings are not, and the filters are put back."""

from __future__ import annotations

import io
import logging
import threading
import warnings

import pytest
from PIL import Image

from wisp.imaging import open_picture
from wisp.imaging.quiet import quiet_pillow


def warn_as(module: str) -> None:
    warnings.warn_explicit("look here", UserWarning, "file.py", 1, module=module)


def test_only_pillows_warnings_are_hidden() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quiet_pillow():
            warn_as("PIL.TiffImagePlugin")
            with pytest.raises(UserWarning, match="look here"):
                warn_as("somewhere.else")
        with pytest.raises(UserWarning, match="look here"):
            warn_as("PIL.TiffImagePlugin")


def test_filters_come_back_after_overlapping_threads() -> None:
    before = list(warnings.filters)
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with quiet_pillow():
            first_in.set()
            second_in.wait(10)
        first_out.set()

    def second() -> None:
        first_in.wait(10)
        with quiet_pillow():
            second_in.set()
            first_out.wait(10)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert first_out.is_set()
    assert list(warnings.filters) == before


def test_filters_come_back_after_an_error() -> None:
    before = list(warnings.filters)
    with pytest.raises(ZeroDivisionError), quiet_pillow():
        raise ZeroDivisionError
    assert list(warnings.filters) == before


def test_a_picture_that_makes_pillow_warn_is_read_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20)).save(buffer, "PNG")
    monkeypatch.setattr(
        Image, "MAX_IMAGE_PIXELS", 400
    )  # between the number of pixels and half of it: a warning
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(buffer.getvalue())).close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_picture(buffer.getvalue()).width == 30


def test_pillows_log_does_not_reach_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        logging.getLogger("PIL.TiffImagePlugin").error("More samples per pixel than can be decoded: %s", 9)
    finally:
        root.handlers = handlers
    assert capfd.readouterr().err == ""
