"""The house: imports run one way, the runtime is light, and the public surface is what it should be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wisp

ROOT = Path(__file__).parent.parent

WITHOUT_TORCH = """
import sys
for name in ("torch", "onnx", "safetensors", "tensorboard"):
    sys.modules[name] = None  # an import of it raises ImportError
import numpy as np
import wisp
model = sys.argv[1]
data = wisp.compress(np.zeros((40, 50, 3), np.uint8), quality=50, model=model)
assert wisp.decompress(data, model=model).size == (50, 40)
"""


def test_imports_run_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_runtime_works_without_torch(tiny_model: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tiny_model)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_import_is_light() -> None:
    heavy = ("torch", "onnxruntime", "rich", "typer")
    for before, more in (("", ("numpy", "PIL")), ("wisp.compress;", ())):
        code = f"import sys, wisp; {before} print([m for m in {heavy + more} if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


def test_public_surface() -> None:
    assert wisp.__all__ == sorted(wisp.__all__)
    for name in wisp.__all__:
        assert hasattr(wisp, name)
    for name in ("compress", "decompress", "reconstruct", "read_info"):
        assert getattr(wisp, name).__doc__


@pytest.mark.parametrize(
    "room", ["container", "entropy", "tokens", "imaging", "runtime", "allocation", "codecs", "train", "bench"]
)
def test_every_room_says_what_it_is(room: str) -> None:
    assert (ROOT / "src" / "wisp" / room / "README.md").is_file()


def test_files_stay_small() -> None:
    long = {p.name: n for p in (ROOT / "src").rglob("*.py") if (n := len(p.read_text().splitlines())) > 300}
    assert not long
