"""A bundle's codebooks, out of its synthesis network's file.

A codebook is there as a constant of 257 rows, 256 codewords and a row of zeros for "not sent", one a group in the
order of the groups. ONNX is protocol buffers (field numbers from onnx.proto3); of these, a few lines read what is
needed, so that no package is. The file was compared with its hash before, so it is what the exporter wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.runtime.bundle import Bundle
from wisp.runtime.wire import fields, varints

_ROWS = 257
_GRAPH, _INITIALIZER = 7, 5  # fields of a model and of its graph
_DIMS, _KIND, _RAW = 1, 2, 9  # fields of a tensor
_DTYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 10: np.dtype("<f2")}


def read_codebooks(bundle: Bundle) -> tuple[NDArray[np.float32], ...] | None:
    """(G, 257, C) float32 for each level, the last row zeros; None where the network is built otherwise."""
    books = list(_codebooks(bundle.content("synthesis.onnx")))
    groups = bundle.config.groups
    if len(books) != sum(groups):
        return None
    ends = np.cumsum(groups)
    levels = [books[end - count : end] for end, count in zip(ends, groups, strict=True)]
    if any(len({book.shape for book in level}) != 1 for level in levels):
        return None
    return tuple(np.stack(level) for level in levels)


def _codebooks(model: bytes) -> Iterator[NDArray[np.float32]]:
    for field, graph in fields(memoryview(model)):
        if field != _GRAPH or isinstance(graph, int):
            continue
        for inner, tensor in fields(graph):
            if inner == _INITIALIZER and not isinstance(tensor, int):
                book = _matrix(tensor)
                if book is not None and len(book) == _ROWS:
                    yield book


def _matrix(tensor: memoryview) -> NDArray[np.float32] | None:
    """A tensor of two axes and a float type; None for any other."""
    dims: list[int] = []
    kind, raw = 0, memoryview(b"")
    for field, value in fields(tensor):
        if field == _DIMS:
            dims += [value] if isinstance(value, int) else list(varints(value))
        elif field == _KIND and isinstance(value, int):
            kind = value
        elif field == _RAW and not isinstance(value, int):
            raw = value
    if len(dims) != 2 or kind not in _DTYPES or len(raw) != dims[0] * dims[1] * _DTYPES[kind].itemsize:
        return None
    book: NDArray[np.float32] = np.frombuffer(raw, _DTYPES[kind]).reshape(dims).astype(np.float32)
    return book
