"""What callers do with errors, threads and types beyond the calls themselves."""

from __future__ import annotations

import copy
import inspect
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import wisp
from wisp import errors

EVERY_ERROR = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.WispError)
]


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_errors_travel_between_processes(kind: type[wisp.WispError]) -> None:
    """A pool hands a worker's error over by pickling it; one that cannot be made again hangs the pool."""
    found = wisp.BudgetError("expected more", 12) if kind is wisp.BudgetError else kind("expected more")
    for again in (pickle.loads(pickle.dumps(found)), copy.copy(found)):
        assert type(again) is kind
        assert (str(again), vars(again)) == (str(found), vars(found))


@pytest.mark.parametrize("wrong", [2.0, True, [2]])
def test_a_wrong_number_of_threads_spoils_nothing(
    tiny_model: Path, photo_u8: NDArray[np.uint8], wrong: object
) -> None:
    with pytest.raises(wisp.UsageError, match="threads"):
        wisp.compress(photo_u8, size=300, model=tiny_model, threads=wrong)  # type: ignore[arg-type]
    for threads in (1, 2):
        assert len(wisp.compress(photo_u8, size=300, model=tiny_model, threads=threads)) <= 300


def test_types_of_results_can_be_named(tiny_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    full = wisp.reconstruct(wisp.compress(photo_u8, size=300, model=tiny_model), model=tiny_model)
    assert isinstance(full.fill, wisp.Fill)
    assert inspect.isclass(wisp.Picture)


@pytest.mark.parametrize("wrong", [b"wisp:", None, 5])
def test_text_is_text(wrong: object) -> None:
    with pytest.raises(wisp.UsageError, match="expected text"):
        wisp.from_text(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [None, 5])
def test_a_source_can_be_read(wrong: object) -> None:
    with pytest.raises(wisp.UsageError, match="expected a path, bytes or an open file"):
        wisp.open_image(wrong)  # type: ignore[arg-type]


def test_packets_take_the_sizes_that_files_take(tiny_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    packets = wisp.packetize(photo_u8, size=500.0, mtu=100, model=tiny_model)  # type: ignore[arg-type]
    assert packets == wisp.packetize(photo_u8, size=500, mtu=100, model=tiny_model)
    for wrong in (0, 1.5, True, float("nan")):
        with pytest.raises(wisp.UsageError, match="size"):
            wisp.packetize(photo_u8, size=wrong, model=tiny_model)  # type: ignore[arg-type]
