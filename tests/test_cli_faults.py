"""Whatever happens, a person reads one line; and the first line of help does not wait for heavy packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runner import assert_one_line_error, run_cli

import wisp
from wisp.cli import main
from wisp.cli.console import printable


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def _failing(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr("wisp.cli.info.read_wisp", fail)


@pytest.mark.parametrize(
    ("fault", "code", "part"),
    [
        (RuntimeError("two\nlines"), 1, "RuntimeError: two lines; set WISP_DEBUG=1"),
        (RuntimeError(), 1, "no message"),
        (MemoryError(), 1, "memory"),
        (RecursionError("deep"), 1, "RecursionError"),
        (OSError(28, "No space left on device"), 1, "found: No space left on device"),
        (PermissionError(13, "Permission denied", "x.wisp"), 1, "Permission denied at 'x.wisp'"),
        (wisp.Corrupt("bad\x1b[31m"), 1, r"bad\x1b[31m"),
        (wisp.UsageError("wrong"), 2, "wrong"),
        (wisp.BudgetError("small", 7), 1, "small"),
    ],
)
def test_exceptions_become_one_line(
    fault: BaseException, code: int, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WISP_DEBUG", raising=False)
    _failing(monkeypatch, fault)
    assert_one_line_error(run_cli("info", "x"), code, part)


def test_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    _failing(monkeypatch, KeyboardInterrupt())
    ran = run_cli("info", "x")
    assert (ran.code, ran.stderr.strip()) == (130, "")


def test_reader_that_went_away(monkeypatch: pytest.MonkeyPatch) -> None:
    _failing(monkeypatch, BrokenPipeError(32, "Broken pipe"))
    ran = run_cli("info", "x")
    assert (ran.code, ran.stderr) == (1, "")


def test_debugging_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WISP_DEBUG", "1")
    _failing(monkeypatch, RuntimeError("odd"))
    assert main(["info", "x"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_closed_pipe_is_silent() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "wisp", "bench"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 1


def test_version_and_module() -> None:
    done = _python("-m", "wisp", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wisp {wisp.__version__}\n", "")


def test_help() -> None:
    ran = run_cli("--help")
    assert ran.code == 0
    for name in ("compress", "decompress", "info", "models", "demo", "train", "export", "verify", "bench"):
        assert f"\n  {name} " in ran.out
        assert run_cli(name, "--help").code == 0


def test_no_command_is_bad_usage_and_shows_the_help() -> None:
    ran = run_cli()
    assert (ran.code, ran.out) == (2, "")
    assert "Commands:" in ran.stderr


@pytest.mark.parametrize(
    "arguments", [("comprss",), ("info",), ("info", "a", "b"), ("models", "--jsn"), ("--no",)]
)
def test_bad_usage_is_one_line_with_a_hint(arguments: tuple[str, ...]) -> None:
    assert_one_line_error(run_cli(*arguments), 2, "--help`")


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from wisp.cli import main; code = main(['--help']); "
        "print(code, sorted({'onnxruntime', 'torch', 'onnx'} & set(sys.modules)))"
    )
    assert _python("-c", script).stdout.splitlines()[-1] == "0 []"


def test_everyday_commands_work_where_torch_is_missing(tmp_path: Path, tiny_model: Path) -> None:
    from PIL import Image

    photo = tmp_path / "a.png"
    Image.new("RGB", (40, 30), "teal").save(photo)
    script = f"""
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "tensorboard", "safetensors", "onnx"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, NoTorch())
from wisp.cli import main

model = ["--model", {str(tiny_model)!r}]
photo, packed, back, folder = {[str(tmp_path / name) for name in ("a.png", "a.wisp", "b.png", "run")]!r}
codes = [
    main(["compress", photo, packed, *model]),
    main(["info", packed]),
    main(["decompress", packed, back, *model]),
    main(["demo", photo, "--out", back, "-f", *model]),
    main(["bench"]),
    main(["train", "recipe.toml", "--data", folder, "--minutes", "1"]),
    main(["export", folder, back, "--data", folder]),
    main(["verify", folder]),
    main(["bench", "run", "--images", {str(tmp_path)!r}, "--codecs", "jpeg", "--out", folder]),
]
print(codes)
"""
    done = _python("-c", script)
    assert done.stdout.splitlines()[-1:] == ["[0, 0, 0, 0, 0, 2, 2, 2, 2]"], done.stderr
    errors = done.stderr.splitlines()[-4:]
    assert [line.endswith("install wisp-codec[train]") for line in errors] == [True, True, True, False]
    assert "wisp-codec[bench]" in errors[3]


def test_printable() -> None:
    assert printable("héllo ✓") == "héllo ✓"
    assert printable("a\tb\x00\udc80\u2028") == r"a\tb\x00\udc80\u2028"
