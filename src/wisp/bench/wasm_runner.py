"""The prior's graphs in WebAssembly: onnxruntime-web in a Node process, which has 128-bit vectors and no others."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.errors import ModelMismatch, UsageError

SCRIPT = Path(__file__).with_name("wasm_runner.mjs")


class WasmProcess:
    """A Node process that runs graphs, until it is closed.

    Args:
        folder: the one that holds node_modules/onnxruntime-web.

    Raises:
        UsageError: node or onnxruntime-web is not there.
    """

    def __init__(self, folder: Path) -> None:
        node = shutil.which("node")
        if node is None:
            raise UsageError("--wasm: expected node, found none; install Node.js")
        self._process = subprocess.Popen(
            [node, str(SCRIPT), str(folder.absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        hello = self._receive()
        if "version" not in hello:
            self.close()
            raise UsageError(
                f"--wasm: expected node_modules/onnxruntime-web in {folder}, found: {hello['error']}; "
                "run `npm install onnxruntime-web` there"
            )
        self.version: str = hello["version"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def make(self, name: str, graph: bytes) -> WasmRunner:
        """Takes the place of a runtime.Network in a MaskedPrior."""
        return WasmRunner(self, name, graph)

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request and its answer, as wasm_runner.mjs describes them.

        Raises:
            ModelMismatch: the graph cannot be loaded, or fails.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._receive()
        except BrokenPipeError:
            answer = {"error": "the process ended"}
        if "error" in answer:
            raise ModelMismatch(f"expected {request['name']} to run in WebAssembly, found: {answer['error']}")
        return answer

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the process ended"}
        return answer


class WasmRunner:
    """One graph."""

    def __init__(self, process: WasmProcess, name: str, graph: bytes) -> None:
        self._process, self._name = process, name
        self._graph: dict[str, str] = {"graph": base64.b64encode(graph).decode()}

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named int32 or float32 arrays in, named float32 arrays out."""
        tensors = {
            name: {
                "type": value.dtype.name,
                "dims": value.shape,
                "data": base64.b64encode(value.tobytes()).decode(),
            }
            for name, value in inputs.items()
        }
        answer = self._process.ask({"name": self._name, **self._graph, "inputs": tensors})
        self._graph = {}
        return {
            name: np.frombuffer(base64.b64decode(found["data"]), "<f4").reshape(found["dims"])
            for name, found in answer["outputs"].items()
        }
