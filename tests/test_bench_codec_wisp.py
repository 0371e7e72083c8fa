"""wisp's adapter: what it asks of the public interface, and what it makes of the answers."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

import wisp
from wisp.bench.codec import Encoded, Unreachable
from wisp.bench.codec_wisp import PROBE_QUALITY, PROBE_SIZE, WispCodec, probe_picture
from wisp.bench.pictures import picture_hash
from wisp.errors import BudgetError


class FakeWisp:
    """Stands in for the package: files of the size asked for, at least 100 bytes."""

    def __init__(self, mark: bytes = b"a") -> None:
        self.calls: list[dict[str, Any]] = []
        self.mark = mark

    def compress(self, image: Image.Image, **options: Any) -> bytes:
        self.calls.append(options)
        size = options.get("size", 300)
        if size < 100:
            raise BudgetError("expected at least 100 bytes", smallest_num_bytes=100)
        return self.mark * size

    def decompress(self, data: bytes, **options: Any) -> Image.Image:
        self.calls.append(options)
        return Image.new("L", (8, 8), len(data) % 256)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeWisp:
    standing_in = FakeWisp()
    monkeypatch.setattr(wisp, "compress", standing_in.compress, raising=False)
    monkeypatch.setattr(wisp, "decompress", standing_in.decompress, raising=False)
    return standing_in


def test_a_budget_is_passed_on_and_the_file_decoded(fake: FakeWisp) -> None:
    found = WispCodec().fit(Image.new("RGB", (8, 8)), 150)
    assert isinstance(found, Encoded)
    assert (found.data_num_bytes, found.setting, found.decoded.mode) == (150, "size=150", "RGB")
    assert fake.calls == [{"size": 150}, {}]


def test_a_refusal_is_unreachable(fake: FakeWisp) -> None:
    assert WispCodec().fit(Image.new("RGB", (8, 8)), 99) == Unreachable(smallest_num_bytes=100)


def test_a_model_goes_to_both_directions(fake: FakeWisp) -> None:
    WispCodec("tiny").fit(Image.new("RGB", (8, 8)), 150)
    assert fake.calls == [{"size": 150, "model": "tiny"}, {"model": "tiny"}]


def test_the_version_follows_the_bytes(fake: FakeWisp) -> None:
    first, again = WispCodec().version, WispCodec().version
    fake.mark = b"b"
    assert first == again != WispCodec().version


def test_the_version_follows_the_way_to_a_size(fake: FakeWisp, monkeypatch: pytest.MonkeyPatch) -> None:
    first = WispCodec().version
    real = fake.compress

    def other(image: Image.Image, **options: Any) -> bytes:
        return real(image, **options)[: -1 if "size" in options else None]

    monkeypatch.setattr(wisp, "compress", other)
    assert WispCodec().version != first

    def refuses(image: Image.Image, **options: Any) -> bytes:
        if "size" in options:
            raise BudgetError("expected at least 900 bytes", smallest_num_bytes=900)
        return real(image, **options)

    monkeypatch.setattr(wisp, "compress", refuses)
    assert WispCodec().version != first


def test_the_probe_never_changes() -> None:
    probe = probe_picture()
    assert (probe.mode, probe.size) == ("RGB", (96, 64))
    assert picture_hash(probe) == "8089c9e83615"


def test_the_probe_shows_where_bits_go() -> None:
    """Or rows of another allocation would be taken for this one's."""
    for dial in ({"size": PROBE_SIZE}, {"quality": PROBE_QUALITY}):
        assert wisp.compress(probe_picture(), effort=4, **dial) != wisp.compress(probe_picture(), **dial)
