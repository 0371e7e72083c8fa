"""The README says what the results say: its block of numbers is made again and compared, sign by sign."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bench_report_data import write_results

from wisp.bench.readme import BEGIN, END, main, numbers_block, replaced, shown_peers
from wisp.bench.report.load import load_run
from wisp.errors import UsageError

ROOT = Path(__file__).parent.parent
README, RESULTS = ROOT / "README.md", ROOT / "results"
KODAK = tuple(f"kodim{number:02}" for number in range(1, 25))
HOW = "run `wisp bench readme results/kodak_main --write README.md`, and read what it changed"


def test_the_readme_agrees_with_the_results() -> None:
    block = numbers_block(RESULTS / "kodak_main", RESULTS / "budgets", RESULTS / "speed")
    text = README.read_text(encoding="utf-8")
    assert text == replaced(text, block), HOW


def test_the_guide_tells_the_command_that_was_run() -> None:
    """Codecs, budgets and the wall's pictures of docs/benchmarks.md are those of the results."""
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").replace("\\\n", " ")
    words = next(line.split() for line in text.splitlines() if line.startswith("    wisp bench run "))
    asked = dict(zip(words[3::2], words[4::2], strict=True))
    about = json.loads((RESULTS / "kodak_main" / "meta.json").read_text(encoding="utf-8"))
    assert asked["--codecs"].split(",") == list(about["codecs"])
    assert [float(bpp) for bpp in asked["--bpp"].split(",")] == about["budgets_bpp"]
    assert asked["--wall"].split(",") == about["wall"]
    assert set(about["images"]) == set(KODAK)


def test_links_of_the_block_lead_somewhere() -> None:
    block = README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    links = re.findall(r"\]\(([^)]+)\)", block)
    assert links
    for link in links:
        assert (ROOT / link).is_file(), link


def spread(seconds: float) -> dict[str, float]:
    names = ("least", "lower_quartile", "median", "upper_quartile", "most")
    return dict.fromkeys(names, seconds)


def speed_row(
    codec: str, action: str, side: int, threads: int, target: str, seconds: float
) -> dict[str, object]:
    return {
        "codec": codec,
        "action": action,
        "width": side,
        "height": side,
        "threads": threads,
        "target": target,
        "wall_s": spread(seconds),
        "peak_memory_bytes": 200_000_000 + side,
    }


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results of the three commands beside each other."""
    folder = tmp_path / "results"
    write_results(folder / "main", KODAK)
    budgets = [
        {"budget_num_bytes": size, "keeps": size != 16000, "share_used": share}
        for size, share in ((500, 0.99899), (16000, 0.9999), (1000, None))
    ]
    (folder / "budgets").mkdir()
    (folder / "budgets" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in budgets))
    rows = [
        speed_row("wisp", "compress", 500, 1, "2000 bytes", 9.0),
        speed_row("wisp", "compress", 500, 2, "2000 bytes", 0.471),
        speed_row("wisp", "compress", 500, 2, "0.1 bpp", 0.5),
        speed_row("wisp", "decompress", 500, 2, "0.1 bpp", 0.129),
        speed_row("wisp", "compress", 5000, 2, "0.1 bpp", 60.0),
        speed_row("wisp", "decompress", 5000, 2, "0.1 bpp", 12.9),
        speed_row("avif", "compress", 500, 2, "0.1 bpp", 0.001),
    ]
    (folder / "speed").mkdir()
    (folder / "speed" / "speed.json").write_text(json.dumps({"rows": rows}))
    return folder


def block_of(results: Path) -> str:
    return numbers_block(results / "main", results / "budgets", results / "speed")


def test_the_block_holds_the_numbers(results: Path) -> None:
    block = block_of(results)
    lines = block.splitlines()
    assert (lines[0], lines[-1]) == (BEGIN, END)
    assert "All 24 Kodak pictures (768x512)" in lines[1]
    assert "A processor, 2 January 2026: [results/main](results/main/summary.md)." in " ".join(lines)
    assert (
        "| bpp | codec | LPIPS-squeeze ↓ | feature distance ↓ | MS-SSIM ↑ | SSIMULACRA2 ↑ | PSNR ↑ | wins |"
        in lines
    )
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| 0")
    ]
    # PSNR is 24 + 2.1 octaves - 6 difficulty, and the difficulties' mean is 9.2 / 24.
    ours = {line[0]: line for line in cells if line[1] == "**wisp**"}
    assert {bpp: line[6] for bpp, line in ours.items()} == {
        "0.02": "**18.9**",
        "0.05": "**21.7**",
        "0.1": "**23.8**",
        "0.2": "25.9",
    }
    assert {bpp: line[7] for bpp, line in ours.items()} == {
        "0.02": "24 of 24",
        "0.05": "24 of 24",
        "0.1": "24 of 24",
        "0.2": "0 of 24",
    }
    others = {(line[0], line[1]): line[6] for line in cells if line[1] != "**wisp**"}
    assert others["0.2", "AVIF"] == "**26.2**"
    assert ("0.05", "AVIF") not in others  # it reaches 10 of 24
    assert others["0.02", "AVIF 1/2 (20 pictures)"] == "15.9"
    assert not any(codec.startswith(("WebP", "JPEG", "BlurHash")) for _, codec in others)
    assert "fewer than half of the pictures: AVIF at 0.02 bpp; AVIF at 0.05 bpp." in block
    assert "LPIPS-squeeze at 0.02, 0.05 and 0.1 bpp; feature distance" in " ".join(lines)


def test_the_block_holds_sizes_and_times(results: Path) -> None:
    lines = block_of(results).splitlines()
    assert (
        "Budgets of 500 to 16,000 bytes: kept on 2 of 3 files, at least 99.8 % used "
        "([results/budgets](results/budgets/summary.md))."
    ) in lines
    assert lines[-4:-1] == [
        "On 2 threads ([results/speed](results/speed/summary.md)):",
        "* 500x500: compress to 2000 bytes 0.47 s, compress to 0.1 bpp 0.50 s, decompress from 0.1 bpp 0.13 s, "
        "201 MB at most.",
        "* 5000x5000: compress to 0.1 bpp 60 s, decompress from 0.1 bpp 13 s, 201 MB at most; 1.2 and 1.0 times the "
        "small picture's time a pixel.",
    ]


def test_the_best_peers_are_shown_at_every_budget(results: Path) -> None:
    assert shown_peers(load_run(results / "main")) == ("avif", "avif@1/2")


def test_other_pictures_are_not_called_kodak(tmp_path: Path, results: Path) -> None:
    write_results(results / "main", ("a", "b"))
    assert "Kodak" not in block_of(results)


def test_write_puts_the_block_between_the_marks(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = results.parent / "README.md"
    readme.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    assert main([str(results / "main"), "--write", str(readme)]) == 0
    assert readme.read_text(encoding="utf-8") == f"before\n\n{block_of(results)}\n\nafter\n"
    assert main([str(results / "main")]) == 0
    assert capsys.readouterr().out == block_of(results) + "\n"


@pytest.mark.parametrize(
    "text",
    ["none", BEGIN, END + BEGIN, f"{BEGIN}{END}{BEGIN}{END}", f"{BEGIN}{BEGIN}{END}", f"{END}{BEGIN}{END}"],
)
def test_marks_that_are_not_there_once_are_refused(
    results: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="expected <!-- numbers: begin --> and then"):
        replaced(text, "block")
    readme = results.parent / "README.md"
    readme.write_text(text)
    assert main([str(results / "main"), "--write", str(readme)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert readme.read_text() == text


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("main/rows.jsonl", "{}\n", "rows.jsonl line 1: expected a row"),
        ("budgets/rows.jsonl", "{}\n", "expected rows of `wisp bench budgets`"),
        ("budgets/rows.jsonl", "", "expected rows of `wisp bench budgets`"),
        ("speed/speed.json", "[]", "expected figures of `wisp bench speed`"),
        ("speed/speed.json", '{"rows": []}', "expected figures of `wisp bench speed`"),
        ("speed/speed.json", "{", "expected figures of `wisp bench speed`"),
    ],
)
def test_broken_results_are_refused(
    results: Path, path: str, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / path).write_text(text)
    assert main([str(results / "main")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("bench readme: ")
    assert message in error
    assert error.count("\n") == 1


def test_missing_results_are_refused(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(results / "main"), "--speed", str(results / "none")]) == 2
    assert "expected a file that can be read" in capsys.readouterr().err
    write_results(results / "main", codecs=("jpeg",))
    assert main([str(results / "main")]) == 2
    assert "expected wisp at one of 0.02, 0.05, 0.1, 0.2 bpp, found none" in capsys.readouterr().err
