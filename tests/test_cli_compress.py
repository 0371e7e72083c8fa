"""`wisp compress`: options, outputs, and what is refused before any work is done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_runner import assert_one_line_error, run_cli
from numpy.typing import NDArray
from PIL import Image

import wisp
from wisp.rate import parse_size


@pytest.fixture
def photo(tmp_path: Path, photo_u8: NDArray[np.uint8]) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(photo_u8).save(path)
    return path


def test_file_is_what_the_library_writes_and_the_summary_tells_its_size(
    photo: Path, tiny_model: Path
) -> None:
    out = photo.with_name("small.wisp")
    ran = run_cli("compress", photo, out, "--size", "1kB", "--model", tiny_model)
    assert (ran.code, ran.stdout) == (0, b"")
    data = out.read_bytes()
    assert data == wisp.compress(Image.open(photo), size=1000, model=tiny_model)
    assert ran.lines == [f"{out}: {len(data)} bytes, {8 * len(data) / 60000:.4f} bpp, 300x200"]


def test_output_is_named_after_the_input(photo: Path, tiny_model: Path) -> None:
    assert run_cli("compress", photo, "--model", tiny_model).code == 0
    assert wisp.read_info(photo.with_suffix(".wisp").read_bytes()).width == 300


def test_output_goes_into_a_directory(photo: Path, tiny_model: Path, tmp_path: Path) -> None:
    assert run_cli("compress", photo, f"{tmp_path / 'new'}/", "--model", tiny_model).code == 0
    assert (tmp_path / "new" / "photo.wisp").is_file()


def test_stdin_to_stdout(photo: Path, tiny_model: Path) -> None:
    ran = run_cli("compress", "-", "-", "--size", "500", "--model", tiny_model, stdin=photo.read_bytes())
    assert ran.code == 0
    assert ran.stdout == wisp.compress(Image.open(photo), size=500, model=tiny_model)
    alone = run_cli("compress", "-", "--size", "500", "--model", tiny_model, stdin=photo.read_bytes())
    assert alone.stdout == ran.stdout


def test_bytes_are_not_written_to_a_terminal(photo: Path, tiny_model: Path) -> None:
    ran = run_cli("compress", photo, "-", "--model", tiny_model, terminal=True)
    assert_one_line_error(ran, 2, "terminal")
    assert ran.stdout == b""
    assert run_cli("compress", photo, "-", "--text", "--model", tiny_model, terminal=True).code == 0


@pytest.mark.parametrize("rate", [("--bpp", "0.05"), ("--quality", "0"), ("--quality", "100"), ()])
def test_rates(photo: Path, tiny_model: Path, rate: tuple[str, ...]) -> None:
    out = photo.with_name("out.wisp")
    assert run_cli("compress", photo, out, *rate, "--model", tiny_model, "--threads", "1").code == 0
    if rate[:1] == ("--bpp",):
        assert len(out.read_bytes()) <= 0.05 * 60000 / 8


def test_existing_output_is_refused_before_the_input_is_read(photo: Path) -> None:
    out = photo.with_name("kept.wisp")
    out.write_bytes(b"precious")
    ran = run_cli("compress", photo.with_name("missing.png"), out)
    assert_one_line_error(ran, 2, repr(str(out)), "-f")
    assert out.read_bytes() == b"precious"


def test_force_overwrites(photo: Path, tiny_model: Path) -> None:
    out = photo.with_name("old.wisp")
    out.write_bytes(b"old")
    assert run_cli("compress", photo, out, "-f", "--model", tiny_model).code == 0
    assert wisp.read_info(out.read_bytes()).height == 200


@pytest.mark.parametrize(
    "options",
    [
        ("--size", "2kB", "--bpp", "0.1"),
        ("--size", "many"),
        ("--size", "0"),
        ("--bpp", "-1"),
        ("--bpp", "nan"),
        ("--quality", "101"),
        ("--threads", "0"),
        ("--alpha", "black"),
        ("--keep", "icc"),
        ("--nonsense",),
    ],
)
def test_bad_usage_has_code_2_and_leaves_nothing(photo: Path, options: tuple[str, ...]) -> None:
    assert_one_line_error(run_cli("compress", photo, *options), 2)
    assert [path.name for path in photo.parent.iterdir()] == ["photo.png"]


def test_a_second_picture_is_not_taken_for_an_output_even_with_force(photo: Path, tiny_model: Path) -> None:
    other = photo.with_name("other.jpg")
    other.write_bytes(b"a picture that must survive")
    ran = run_cli("compress", photo, other, "-f", "--model", tiny_model)
    assert_one_line_error(ran, 2, "other.jpg")
    assert other.read_bytes() == b"a picture that must survive"


def test_input_is_never_the_output(photo: Path, tiny_model: Path) -> None:
    odd = photo.rename(photo.with_name("odd.wisp"))
    before = odd.read_bytes()
    assert_one_line_error(run_cli("compress", odd, "-f", "--model", tiny_model), 2, "odd.wisp")
    assert odd.read_bytes() == before


def test_too_small_a_budget_names_the_smallest_that_works(photo: Path, tiny_model: Path) -> None:
    out = photo.with_name("out.wisp")
    ran = run_cli("compress", photo, out, "--size", "3", "--model", tiny_model)
    with pytest.raises(wisp.BudgetError) as caught:
        wisp.compress(Image.open(photo), size=3, model=tiny_model)
    smallest = caught.value.smallest_num_bytes
    assert_one_line_error(ran, 1, str(smallest))
    assert not out.exists()
    assert run_cli("compress", photo, out, "--size", smallest, "--model", tiny_model).code == 0
    assert len(out.read_bytes()) <= smallest


def test_unknown_model(photo: Path) -> None:
    assert_one_line_error(run_cli("compress", photo, "--model", "nobody"), 1, "nobody", "wisp models")


def test_roi(photo: Path, tiny_model: Path) -> None:
    mask = photo.with_name("mask.png")
    Image.new("L", (300, 200), 255).crop((0, 0, 300, 200)).save(mask)
    out = photo.with_name("out.wisp")
    common = ("compress", photo, out, "-f", "--size", "400", "--model", tiny_model, "--roi", mask)
    assert run_cli(*common, "--roi-strength", "4").code == 0
    assert_one_line_error(run_cli(*common, "--roi-strength", "0.5"), 2, "0.5")
    Image.new("L", (200, 300)).save(mask)
    assert_one_line_error(run_cli(*common), 2, "mask")
    mask.write_text("no mask")
    assert_one_line_error(run_cli(*common), 1, "mask.png")


def test_mask_that_is_transparent_does_not_matter(tmp_path: Path) -> None:
    from wisp.cli.compress import _load_mask

    path = tmp_path / "mask.png"
    strokes = Image.new("RGBA", (8, 4), (255, 255, 255, 0))
    strokes.putpixel((2, 1), (255, 255, 255, 255))
    strokes.save(path)
    mask = np.asarray(_load_mask(str(path)))
    assert mask[1, 2] == 255
    assert mask.sum() == 255


def test_stdin_cannot_be_picture_and_mask(photo: Path) -> None:
    assert_one_line_error(run_cli("compress", "-", "-", "--roi", "-", stdin=photo.read_bytes()), 2, "mask")


def test_notes_go_to_stderr_unless_quiet(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "glass.png"
    Image.new("RGBA", (40, 30), (10, 200, 30, 99)).save(path)
    ran = run_cli("compress", path, "--model", tiny_model)
    assert ran.lines[0] == "note: transparent parts were composited on white"
    assert run_cli("compress", path, "-f", "-q", "--model", tiny_model).stderr == ""


def test_a_budget_that_stays_unused_is_told(photo: Path, tiny_model: Path) -> None:
    ran = run_cli("compress", photo, "--size", "100kB", "--model", tiny_model)
    left = 100_000 - photo.with_suffix(".wisp").stat().st_size
    assert left > 10_000
    assert (
        ran.lines[0]
        == f"note: {left} of 100000 bytes are left over; the model has no fuller file within them"
    )
    assert len(run_cli("compress", photo, "-f", "--size", "1kB", "--model", tiny_model).lines) == 1
    assert len(run_cli("compress", photo, "-f", "--quality", "100", "--model", tiny_model).lines) == 1


def test_alpha_can_be_kept(tmp_path: Path, tiny_model: Path) -> None:
    path, out, back = (tmp_path / name for name in ("a.png", "a.wisp", "back.png"))
    alpha = np.arange(40 * 30, dtype=np.uint8).reshape(30, 40)
    image = Image.new("RGB", (40, 30), "teal")
    image.putalpha(Image.fromarray(alpha))
    image.save(path)
    assert run_cli("compress", path, out, "--alpha", "keep", "--model", tiny_model).code == 0
    assert run_cli("decompress", out, back, "--model", tiny_model).code == 0
    with Image.open(back) as decoded:
        assert decoded.mode == "RGBA"
        assert np.array_equal(np.asarray(decoded)[..., 3], alpha)
    ran = run_cli("decompress", out, tmp_path / "back.jpg", "--model", tiny_model)
    assert ran.lines[0] == f"note: {tmp_path / 'back.jpg'}: jpeg has no transparency, which was put on white"


def test_exif_is_dropped_unless_kept(tmp_path: Path, tiny_model: Path) -> None:
    path, out, back = (tmp_path / name for name in ("camera.jpg", "camera.wisp", "back.jpg"))
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 6
    Image.new("RGB", (48, 32), "olive").save(path, exif=exif)
    assert run_cli("compress", path, out, "--model", tiny_model).code == 0
    assert wisp.read_info(out.read_bytes()).chunks == ()
    assert run_cli("compress", path, out, "-f", "--keep", "exif", "--model", tiny_model).code == 0
    assert [name for name, _ in wisp.read_info(out.read_bytes()).chunks] == ["exif"]
    assert run_cli("decompress", out, back, "--model", tiny_model).code == 0
    with Image.open(back) as decoded:
        assert decoded.size == (32, 48)
        assert decoded.getexif()[0x010F] == "Maker"
        assert 0x0112 not in decoded.getexif()


def test_text_armour(photo: Path, tiny_model: Path) -> None:
    common = ("compress", photo, "--text", "--size", "300", "--model", tiny_model)
    assert run_cli(*common).code == 0
    text = photo.with_suffix(".txt").read_text("ascii")
    data = wisp.from_text(text)
    assert text == f"{wisp.to_text(data)}\n"
    assert data == wisp.compress(Image.open(photo), size=300, model=tiny_model)
    assert run_cli(*common, photo.with_name("named.any")).code == 0


@pytest.mark.parametrize("words", [("2", "kB"), ("1.5", "KiB")])
def test_a_unit_after_a_space_is_not_taken_for_a_directory(
    photo: Path, words: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run_cli("compress", "--size", *words, photo, photo.with_name("out.wisp"))
    assert_one_line_error(ran, 2, "".join(words))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png"]


@pytest.mark.parametrize(
    ("text", "num_bytes"),
    [
        ("2kb", 2000),
        ("2KB", 2000),
        ("1.5kib", 1536),
        ("1mb", 1_000_000),
        ("7b", 7),
        ("2.01kB", 2010),
        ("16.06k", 16060),
    ],
)
def test_units_in_letters_of_either_case(text: str, num_bytes: int) -> None:
    assert parse_size(text) == num_bytes


def test_a_strength_without_a_mask_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    assert_one_line_error(run_cli("compress", tmp_path / "a.png", "--roi-strength", "4"), 2, "--roi")
    assert not (tmp_path / "a.wisp").exists()


@pytest.mark.parametrize("name", ["b.gif", "b.JP2", "b.heic", "b.tga"])
def test_names_of_other_pictures_are_refused(photo: Path, name: str) -> None:
    target = photo.with_name(name)
    target.write_bytes(b"a picture that somebody wants to keep")
    assert_one_line_error(run_cli("compress", photo, target, "-f"), 2, ".wisp")
    assert target.read_bytes() == b"a picture that somebody wants to keep"


def test_a_name_that_no_disk_allows(photo: Path) -> None:
    ran = run_cli("compress", photo, photo.with_name("n" * 300 + ".wisp"), "--size", "300")
    assert_one_line_error(ran, 2, "305 characters")
