"""The generative bench: eigenfaces, its tables, and the whole command on tiny models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wisp.bench import eigenfaces
from wisp.bench.codec import Encoded, Unreachable
from wisp.bench.eigenfaces import EigenfaceCodec
from wisp.bench.generative import drawn_faces, main
from wisp.bench.generative_table import summary
from wisp.bench.metrics.ssim import Ssim
from wisp.codecs import LatentVectorCodec, any_codec_for_model
from wisp.errors import UsageError
from wisp.train.verify import example_picture


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty mixtures of five pictures: five components draw them all."""
    folder = tmp_path_factory.mktemp("faces")
    random = np.random.default_rng(0)
    basis = np.stack([example_picture(64, 64, seed) for seed in range(5)]).astype(float)
    for i in range(30):
        mixed = np.tensordot(random.dirichlet(np.ones(5)), basis, 1)
        Image.fromarray(mixed.astype(np.uint8)).save(folder / f"{i:02}.png")
    return folder


@pytest.fixture
def codec(faces: Path, monkeypatch: pytest.MonkeyPatch) -> EigenfaceCodec:
    monkeypatch.setattr(eigenfaces, "COMPONENTS", 6)
    return EigenfaceCodec(faces)


def test_eigenfaces_draw_what_they_span(codec: EigenfaceCodec, faces: Path) -> None:
    with Image.open(faces / "03.png") as image:
        errors = []
        for size in (15, 18, 40):
            found = codec.fit(image, size)
            assert isinstance(found, Encoded)
            assert found.data_num_bytes <= size
            errors.append(np.square(np.asarray(found.decoded).astype(float) - np.asarray(image)).mean())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 3


def test_eigenfaces_refuse_what_they_cannot_do(codec: EigenfaceCodec, faces: Path) -> None:
    with Image.open(faces / "03.png") as image:
        assert isinstance(codec.fit(image, 9), Unreachable)
        with pytest.raises(UsageError, match="shape"):
            codec.fit(image.resize((32, 32)), 100)


def test_eigenfaces_need_faces_enough(faces: Path) -> None:
    with pytest.raises(UsageError, match="faces"):
        EigenfaceCodec(faces)


def test_ssim_is_scikit_images() -> None:
    from skimage.metrics import structural_similarity

    one, other = example_picture(64, 80, 1), example_picture(64, 80, 2)
    wanted = structural_similarity(
        one,
        other,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert Ssim().reference(one)(other) == pytest.approx(wanted, abs=0.02)  # borders are counted differently
    assert Ssim().reference(one)(one) == pytest.approx(1)


def row(table: str, image: str, codec: str, target: str, num_bytes: int, lpips: float) -> dict[str, object]:
    scores = {"lpips_squeeze": lpips, "psnr_db": 20 - lpips}
    return {
        "table": table,
        "image": image,
        "codec": codec,
        "target": target,
        "num_bytes": num_bytes,
        "raw_num_bytes": 600,
        "scores": scores,
    }


def test_the_page_takes_peers_at_their_best_and_counts_wins() -> None:
    rows = [
        row("faces", "a", "inversion", "60", 60, 0.2),
        row("faces", "a", "webp", "60", 50, 0.5),
        row("faces", "a", "webp@1/2", "60", 40, 0.3),
        row("faces", "b", "inversion", "60", 60, 0.4),
        row("faces", "b", "webp", "60", 50, 0.3),
        row("photographs", "c", "vae_gan", "2 channels", 100, 0.1),
    ]
    page = summary(rows, ["lpips_squeeze", "psnr_db"])
    assert "| 60 | inversion | 2/2 | 60 | 10.0 | 0.3000 | 19.70 |" in page
    assert "| 60 | webp | 2/2 | 48 | 12.8 | 0.3000 | 19.70 |" in page
    assert "| 60 | inversion 1, webp 1 | 1/2 | 0 |" in page
    assert "| 2 channels | vae_gan | 1/1 | 100 | 6.0 | 0.1000 | 19.90 |" in page
    assert "one figure copied" in page


def test_a_size_that_nobody_else_reaches_is_no_win() -> None:
    page = summary([row("faces", "a", "inversion", "60", 60, 0.2)], ["lpips_squeeze"])
    assert "| 60 | inversion 1 | 0/0 | 1 |" in page
    assert "| 60 |  | 0/1 | 0 |" in summary([row("faces", "a", "wisp", "60", 60, 0.2)], ["lpips_squeeze"])


def test_drawings_of_the_prior_differ(vector_model: Path) -> None:
    codec = any_codec_for_model(vector_model, 1)
    assert isinstance(codec, LatentVectorCodec)
    one, other = drawn_faces(codec, 2)
    assert one.size == (64, 64)
    assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).max() > 0
    assert one.tobytes() == drawn_faces(codec, 1)[0].tobytes()


def test_the_whole_command(
    grid_model: Path, vector_model: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    Image.fromarray(example_picture(64, 96, 3)).save(photographs / "p.png")
    out = tmp_path / "out"
    arguments = [
        "--faces", str(faces), "--photographs", str(photographs), "--out", str(out), "--grid", str(grid_model),
        "--vector", str(vector_model), "--limit", "1", "--drawn", "1", "--steps", "2", "--metrics", "psnr_db",
        "--sheet", str(tmp_path / "sheet.webp"),
    ]  # fmt: skip
    assert main(arguments) == 0
    page = capsys.readouterr().out
    assert page.strip() == (out / "summary.md").read_text().strip()
    pictures = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert {picture["image"] for picture in pictures} == {"00", "drawn-0", "p"}
    codecs = {row["codec"] for picture in pictures for row in picture["rows"]}
    assert codecs >= {"inversion", "inversion, qsgd", "encoder", "vae_gan", "wisp"}
    assert any(codec.startswith("webp@") for codec in codecs)
    with Image.open(tmp_path / "sheet.webp") as sheet:
        assert sheet.width > 1500
    before = (out / "rows.jsonl").read_bytes()
    assert main(arguments) == 0  # nothing is measured again
    assert (out / "rows.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--sheet", "a.png", ".webp"),
        ("--limit", "0", "at least 1"),
        ("--grid", "wisp_small", "a grid's model"),
        ("--faces", "nowhere", "folder"),
    ],
)
def test_bad_options_are_told_on_one_line(
    grid_model: Path,
    vector_model: Path,
    faces: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
    message: str,
) -> None:
    options = {
        "--faces": str(faces),
        "--photographs": str(faces),
        "--out": str(tmp_path / "out"),
        "--grid": str(grid_model),
        "--vector": str(vector_model),
        "--metrics": "psnr_db",
        option: value,
    }
    assert main([part for pair in options.items() for part in pair]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
