"""FID and KID: crops, values of a network of one feature by hand, what is said where Inception is missing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from wisp.bench.metrics import distribution
from wisp.bench.metrics.distribution import DirectoryScores, crops, directory_scores
from wisp.bench.metrics.metric import MetricUnavailable
from wisp.errors import ImageError, UsageError


class MeanOfRed(torch.nn.Module):
    """(N, 3, h, w) uint8 -> (N, 1): one feature, mean red in 0..1."""

    def forward(self, crops_u8: torch.Tensor) -> torch.Tensor:
        assert crops_u8.dtype == torch.uint8
        assert crops_u8.shape[1:] == (3, 256, 256)
        return crops_u8[:, 0].float().mean((1, 2))[:, None] / 255


def fill(folder: Path, reds: Sequence[int], side: int = 256) -> Path:
    folder.mkdir()
    for number, red in enumerate(reds):
        Image.new("RGB", (side, side), (red, 9, 99)).save(folder / f"{number}.png")
    return folder


def test_crops_of_both_grids() -> None:
    rows, columns = np.indices((512, 768))
    numbered: NDArray[np.uint8] = np.stack([rows // 128, columns // 128, rows * 0], axis=-1).astype(np.uint8)
    corners = [crop[0, 0, :2].tolist() for crop in crops(numbered)]
    assert corners == [[0, 0], [0, 2], [0, 4], [2, 0], [2, 2], [2, 4], [1, 1], [1, 3]]
    assert {crop.shape for crop in crops(numbered)} == {(256, 256, 3)}
    assert list(crops(numbered[:255])) == []


def test_values_by_hand(tmp_path: Path) -> None:
    pytest.importorskip("torchmetrics")
    ours, theirs = [10, 50, 90, 200], [30, 60, 60, 250]
    found = directory_scores(fill(tmp_path / "a", ours), fill(tmp_path / "b", theirs), network=MeanOfRed())
    x, y = np.array(ours) / 255, np.array(theirs) / 255
    # Of Gaussians on a line: squared differences of means and of deviations.
    fid = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    assert found.fid == pytest.approx(fid, abs=1e-6)
    # The unbiased estimate with the kernel (xy + 1)^3, all four crops being in every subset.
    kernel = [(np.outer(u, v) + 1.0) ** 3 for u, v in ((x, x), (y, y), (x, y))]
    within = [(k.sum() - np.trace(k)) / 12 for k in kernel[:2]]
    assert found.kid == pytest.approx(within[0] + within[1] - 2 * kernel[2].mean(), abs=1e-5)
    assert found.kid_deviation == pytest.approx(0.0, abs=1e-5)
    assert found.num_crops == 4
    assert found.version.startswith("torchmetrics ")


def test_equal_folders(tmp_path: Path) -> None:
    pytest.importorskip("torchmetrics")
    folder = fill(tmp_path / "a", [10, 50, 90])
    assert directory_scores(folder, folder, network=MeanOfRed()).fid == pytest.approx(0.0, abs=1e-6)


def test_folders_must_give_equally_many_crops(tmp_path: Path) -> None:
    pytest.importorskip("torchmetrics")
    three, two, small = (
        fill(tmp_path / "three", [1, 2, 3]),
        fill(tmp_path / "two", [1, 2]),
        fill(tmp_path / "small", [1, 2], side=255),
    )
    for other, found in ((two, "3 and 2"), (small, "3 and 0")):
        with pytest.raises(ImageError, match=f"equally many crops of 256 pixels .* found {found}"):
            directory_scores(three, other, network=MeanOfRed())
    with pytest.raises(ImageError, match="found 0 and 0"):
        directory_scores(small, small, network=MeanOfRed())
    with pytest.raises(UsageError, match="expected a folder of pictures"):
        directory_scores(three, tmp_path / "none", network=MeanOfRed())


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (str(fill(tmp_path / name, [1, 2])) for name in ("a", "b"))

    def scores(originals: Path, decoded: Path) -> DirectoryScores:
        assert (originals, decoded) == (tmp_path / "a", tmp_path / "b")
        return DirectoryScores(1.25, 0.0625, 0.5, 2, "packages")

    monkeypatch.setattr(distribution, "directory_scores", scores)
    assert distribution.main([one, other]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "FID 1.2500, lower is better",
        "KID 0.062500, deviation 0.500000, lower is better",
        "2 crops of 256x256 in each folder; packages",
    ]
    for fault, code, words in (
        (MetricUnavailable("no network"), 2, "FID and KID: not available: no network\n"),
        (UsageError("no folder"), 2, "FID and KID: no folder\n"),
        (ImageError("no picture"), 1, "FID and KID: no picture\n"),
    ):

        def fail(*_: Path, fault: Exception = fault) -> None:
            raise fault

        monkeypatch.setattr(distribution, "directory_scores", fail)
        assert distribution.main([one, other]) == code
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == ("", words)


@pytest.mark.parametrize("absent", ["torchmetrics", "torch_fidelity"])
def test_what_is_missing_is_named(absent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if absent != "torchmetrics":
        pytest.importorskip("torchmetrics")
    for name in (absent, f"{absent}.image", f"{absent}.image.fid", f"{absent}.image.kid"):
        monkeypatch.setitem(sys.modules, name, None)
    folder = fill(tmp_path / "a", [1, 2])
    distribution = absent.replace("_", "-")
    with pytest.raises(MetricUnavailable, match=f"expected the package {distribution}, found"):
        directory_scores(folder, folder)
