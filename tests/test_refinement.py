"""Effort: tokens refined against the decoder show the picture better, in files that any reader reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.errors import UsageError


def error(shown: object, picture: NDArray[np.uint8]) -> float:
    return float(np.square(np.asarray(shown).astype(float) - picture).mean())


@pytest.mark.parametrize("options", [{"size": 500}, {"size": 1500}, {"quality": 60}])
def test_more_effort_is_never_worse_and_budgets_hold(
    prior_model: Path, photo_u8: NDArray[np.uint8], options: dict[str, int]
) -> None:
    errors = []
    for effort in (5, 7, 9):
        data = wisp.compress(photo_u8, effort=effort, model=prior_model, **options)
        assert len(data) <= options.get("size", len(data))
        assert data == wisp.compress(photo_u8, effort=effort, model=prior_model, threads=2, **options)
        errors.append(error(wisp.decompress(data, model=prior_model), photo_u8))
    assert errors[1] <= errors[0]
    assert errors[2] <= errors[0]
    assert min(errors[1:]) < errors[0]


def test_up_to_six_nothing_changes(prior_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    files = {wisp.compress(photo_u8, size=900, effort=e, model=prior_model) for e in (0, 5, 6)}
    assert files == {wisp.compress(photo_u8, size=900, model=prior_model)}


def test_routed_models_are_refined_too(routed_model: Path, photo_u8: NDArray[np.uint8]) -> None:
    shown = [
        wisp.decompress(wisp.compress(photo_u8, size=900, effort=e, model=routed_model), model=routed_model)
        for e in (5, 9)
    ]
    assert error(shown[1], photo_u8) <= error(shown[0], photo_u8)


@pytest.mark.parametrize("wrong", [-1, 10, 2.5, "9", True, None])
def test_wrong_efforts(photo_u8: NDArray[np.uint8], wrong: object) -> None:
    with pytest.raises(UsageError, match="effort"):
        wisp.compress(photo_u8, effort=wrong)  # type: ignore[arg-type]


def test_on_the_command_line(prior_model: Path, photo_u8: NDArray[np.uint8], tmp_path: Path) -> None:
    Image.fromarray(photo_u8).save(tmp_path / "a.png")
    given = ["compress", tmp_path / "a.png", tmp_path / "a.wisp", "--size", "900", "--model", prior_model]
    assert run_cli(*given, "--effort", 9).code == 0
    assert (tmp_path / "a.wisp").read_bytes() == wisp.compress(
        photo_u8, size=900, effort=9, model=prior_model
    )
    assert_one_line_error(run_cli(*given, "-f", "--effort", 10), 2, "effort")
