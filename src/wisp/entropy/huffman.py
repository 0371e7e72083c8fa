"""A static Huffman code (Huffman 1952) in its canonical form: code lengths say everything.

Control-GIC codes its indices so (Li et al., ICLR 2025). Codes of equal length are consecutive numbers in the order of
their symbols, shorter codes come first (Schwartz & Kallick 1964), and no code is longer than MAX_LENGTH.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from wisp.errors import Corrupt, ModelMismatch, Truncated

MAX_LENGTH = 16  # bits; a reader looks at so many at once
_BLOCK = 4096  # symbols decoded at once: bounds memory, whatever follows them


def code_lengths(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Counts (K,), at least 1 and K at least 2 -> lengths (K,), 1..MAX_LENGTH, of an optimal code.

    Where the rarest symbols would get longer codes, all counts below a floor are raised to it, and the floor doubled
    until they do not.
    """
    counts = np.maximum(np.asarray(counts, np.int64), 1)
    floor = 1
    while True:
        lengths = _lengths(np.maximum(counts, floor))
        if lengths.max() <= MAX_LENGTH:
            return lengths
        floor *= 2


def _lengths(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Depths of the leaves of the tree that joins the two rarest nodes again and again; ties by age."""
    heap = [(int(count), symbol) for symbol, count in enumerate(counts)]
    heapq.heapify(heap)
    parents: dict[int, int] = {}
    for node in range(len(counts), 2 * len(counts) - 1):
        (first, a), (second, b) = heapq.heappop(heap), heapq.heappop(heap)
        parents[a] = parents[b] = node
        heapq.heappush(heap, (first + second, node))
    depths = {2 * len(counts) - 2: 0}
    for node in range(2 * len(counts) - 3, -1, -1):
        depths[node] = depths[parents[node]] + 1
    return np.array([depths[symbol] for symbol in range(len(counts))]).astype(np.uint8)


class HuffmanCode:
    """The code of K symbols.

    Raises:
        ModelMismatch: the lengths are not those of a complete code, or beyond MAX_LENGTH.
    """

    def __init__(self, lengths: NDArray[np.uint8]) -> None:
        used = np.asarray(lengths).astype(np.int64)
        if used.ndim != 1 or len(used) < 2 or used.min() < 1 or used.max() > MAX_LENGTH:
            raise ModelMismatch(f"expected Huffman lengths from 1 to {MAX_LENGTH}, found {used.tolist()[:8]}")
        if int((1 << (MAX_LENGTH - used)).sum()) != 1 << MAX_LENGTH:
            raise ModelMismatch("expected the lengths of a complete Huffman code, found others")
        self.lengths = used
        order = np.lexsort((np.arange(len(used)), used))
        spans = 1 << (MAX_LENGTH - used[order])
        starts = np.cumsum(spans) - spans
        self._codes = np.empty(len(used), np.int64)
        self._codes[order] = starts >> (MAX_LENGTH - used[order])
        self._symbols = np.repeat(order, spans)  # by the next MAX_LENGTH bits

    def num_bits(self, symbols: NDArray[np.integer]) -> int:
        """Length of coded symbols, in bits."""
        return int(self.lengths[symbols].sum())

    def encode(self, symbols: NDArray[np.integer]) -> bytes:
        """Codes one after another, the first bit highest; zeros fill the last byte."""
        lengths = self.lengths[symbols]
        places = np.arange(MAX_LENGTH)
        bits = self._codes[symbols][:, None] >> np.maximum(lengths[:, None] - 1 - places, 0) & 1
        return np.packbits(bits[places < lengths[:, None]].astype(np.uint8)).tobytes()

    def decode(self, data: bytes, count: int) -> tuple[NDArray[np.int64], int]:
        """`count` symbols from the beginning of `data`, and how many bytes they take.

        Raises:
            Truncated: the data end before.
            Corrupt: the bits that fill the last byte are not zero.
        """
        parts, place = [], 0
        for first in range(0, count, _BLOCK):
            symbols, place = self._decode_block(data, place, min(_BLOCK, count - first))
            parts.append(symbols)
        num_bytes = -(-place // 8)
        if place % 8 and data[num_bytes - 1] & 0xFF >> place % 8:
            raise Corrupt("expected zeros behind the last Huffman code, found others; the file is damaged")
        return np.concatenate(parts) if parts else np.empty(0, np.int64), num_bytes

    def _decode_block(self, data: bytes, place: int, count: int) -> tuple[NDArray[np.int64], int]:
        """`count` symbols from bit `place` on, and the bit behind them."""
        start = place // 8
        some = np.frombuffer(data[start : start + count * MAX_LENGTH // 8 + 2], np.uint8)
        bits = np.unpackbits(some)
        windows = np.zeros(len(bits), np.int64)
        for bit in range(min(MAX_LENGTH, len(bits))):
            windows[: len(bits) - bit] |= bits[bit:].astype(np.int64) << (MAX_LENGTH - 1 - bit)
        candidates = self._symbols[windows]
        steps = self.lengths[candidates].tolist()
        found, here = [], place - 8 * start
        for _ in range(count):
            if here >= len(bits):
                break
            found.append(here)
            here += steps[here]
        if len(found) < count or here > len(bits):
            raise Truncated(
                f"expected {count} more Huffman codes, found {len(some)} bytes; the end is missing"
            )
        return candidates[np.array(found, np.intp)], 8 * start + here
