"""What benchmarks' commands have alike: shared options, lists of numbers, errors on one line."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

from wisp.bench.command import command, command_parser, quality_list, rate_list, whole_number_list
from wisp.cli.bench import BENCHMARKS
from wisp.errors import CodecError, UsageError


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (UsageError("--x: expected more"), 2, "bench toy: --x: expected more"),
        (CodecError("a process failed"), 1, "bench toy: a process failed"),
    ],
)
def test_an_error_is_one_line_and_a_code(
    capsys: pytest.CaptureFixture[str], fault: Exception, code: int, said: str
) -> None:
    @command("toy")
    def main(arguments: Sequence[str]) -> int:
        raise fault

    assert main([]) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert not shown.out


def test_what_is_no_error_of_ours_is_not_hidden() -> None:
    for fault in (OSError(), KeyboardInterrupt(), ZeroDivisionError()):

        @command("toy")
        def main(arguments: Sequence[str], fault: BaseException = fault) -> int:
            raise fault

        with pytest.raises(type(fault)):
            main([])


def test_arguments_are_those_of_the_process_if_none_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Sequence[str]] = []

    @command("toy")
    def main(arguments: Sequence[str]) -> int:
        seen.append(arguments)
        return 3

    monkeypatch.setattr("sys.argv", ["toy", "--out", "x"])
    assert main() == main(("--out", "x")) == 3
    assert seen == [["--out", "x"], ["--out", "x"]]


def test_shared_options_and_their_defaults() -> None:
    parser = command_parser("toy", "a toy", "images out metrics threads", metrics="psnr_db")
    options = parser.parse_args(["--images", "a", "--out", "b"])
    assert vars(options) == {"images": Path("a"), "out": Path("b"), "metrics": "psnr_db", "threads": None}
    assert parser.prog == "wisp bench toy"


def test_lists_of_numbers() -> None:
    assert whole_number_list("--n", "3,1", 1) == [3, 1]
    assert whole_number_list("--n", "0,99", 0, 99) == [0, 99]
    assert rate_list("--bpp", "0.2,0.05") == [0.2, 0.05]
    assert quality_list("--q", "0,100,32.5") == [0, 100, 32.5]


@pytest.mark.parametrize("text", ["", "x", "1,,2", "0", "5", "2.5", "nan"])
def test_whole_numbers_that_are_refused(text: str) -> None:
    with pytest.raises(
        UsageError, match="--n: expected whole numbers from 1 to 4 with commas between, found"
    ):
        whole_number_list("--n", text, 1, 4)


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf", "1000"])
def test_rates_that_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--bpp: expected numbers above 0"):
        rate_list("--bpp", text)


@pytest.mark.parametrize("text", ["", "-0.1", "100.5", "nan"])
def test_qualities_that_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--q: expected numbers from 0 to 100"):
        quality_list("--q", text)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main = import_module(f"wisp.bench.{name}").main
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: wisp bench {name} ")
