"""A quantised vector as bytes by itself, and back (docs/latents.md is the law of these bytes)."""

from __future__ import annotations

import math
import struct
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from wisp.entropy.bit_stream import BitReader, BitWriter
from wisp.entropy.elias import Delta, EliasCode, Gamma, Omega
from wisp.entropy.gaussian_levels import best_scale, check_scales, read_levels, write_levels
from wisp.entropy.gaussian_tables import NUM_SCALES
from wisp.entropy.level_codes import read_dense, read_sparse, write_dense, write_sparse
from wisp.entropy.qsgd import MAX_BITS, MAX_LENGTH, QsgdVector, most
from wisp.entropy.uniform_steps import SteppedVector, round_step
from wisp.errors import Corrupt, LimitExceeded, Truncated, UsageError

COMMON_NUM_BYTES = 3  # kind and bits, length
_NORM_NUM_BYTES = 4
_STEP_NUM_BYTES = 2
_MAX_NORM = float(np.finfo(np.float32).max)


class LatentKind(IntEnum):
    """How levels are coded; the upper half of the first byte."""

    GAMMA = 0
    DELTA = 1
    OMEGA = 2
    GAPS = 3  # as QSGD is published
    GAUSSIAN = 8  # one scale, written down
    GAUSSIAN_GIVEN = 9  # a scale for each dimension, which the reader has from the model


_CODES: dict[LatentKind, EliasCode] = {
    LatentKind.GAMMA: Gamma(),
    LatentKind.DELTA: Delta(),
    LatentKind.OMEGA: Omega(),
    LatentKind.GAPS: Omega(),
}


def write_qsgd(vector: QsgdVector, kind: LatentKind = LatentKind.GAPS) -> bytes:
    """A QSGD vector in Elias codes.

    Raises:
        UsageError: the kind is not an Elias code's, or the vector is not what `QsgdVector` says.
    """
    if kind not in _CODES:
        raise UsageError(f"expected gamma, delta, omega or gaps for a QSGD vector, found {kind.name.lower()}")
    if not 1 <= vector.bits <= MAX_BITS or np.abs(vector.levels).max(initial=0) > most(vector.bits):
        raise UsageError(f"expected 1 to {MAX_BITS} bits and levels that they hold, found {vector.bits} bits")
    if not 0 <= vector.norm <= _MAX_NORM or _norm(norm := struct.pack(">f", abs(vector.norm))) != vector.norm:
        raise UsageError(f"expected a norm that float32 holds, found {vector.norm!r}")
    if vector.norm == 0 and vector.levels.any():
        raise UsageError("expected levels of 0 beside a norm of 0, found others")
    head = _head(kind, vector.bits, len(vector.levels)) + norm
    if vector.norm == 0:
        return head
    writer = BitWriter()
    (write_sparse if kind == LatentKind.GAPS else write_dense)(writer, _CODES[kind], vector.levels)
    return head + writer.finish()


def write_stepped(vector: SteppedVector, scales: NDArray[np.integer] | None = None) -> bytes:
    """A vector of uniform steps, range coded under Gaussians.

    Args:
        scales: (n,) scale indices of a model, which the reader must have; one that suits the levels is found and
            written down without.

    Raises:
        UsageError: the vector or the scales are not what `SteppedVector` and `write_levels` say.
    """
    if round_step(vector.step) != vector.step:
        raise UsageError(f"expected a step of eight significant bits, found {vector.step!r}")
    step = struct.pack(">f", vector.step)[:_STEP_NUM_BYTES]
    count = len(vector.levels)
    if scales is not None:
        return _head(LatentKind.GAUSSIAN_GIVEN, 0, count) + step + write_levels(vector.levels, scales)
    scale = best_scale(vector.levels)
    payload = write_levels(vector.levels, np.full(count, scale))
    return _head(LatentKind.GAUSSIAN, 0, count) + step + bytes([scale]) + payload


def read_latent(
    data: bytes, *, scales: NDArray[np.integer] | None = None, max_length: int = MAX_LENGTH
) -> QsgdVector | SteppedVector:
    """The vector that exactly these bytes hold.

    Args:
        scales: (n,) scale indices of the model the vector belongs to; only GAUSSIAN_GIVEN asks for them.
        max_length: largest n that is accepted.

    Raises:
        Truncated: the bytes end too early.
        Corrupt: no writer writes these bytes, or more follow.
        LimitExceeded: n is above `max_length`.
        UsageError: scales are needed and not given, or not n of them.
    """
    kind, bits, count = _read_head(data)
    if count > max_length:
        raise LimitExceeded(f"expected a vector of at most {max_length} numbers, found {count} declared")
    if kind in _CODES:
        return _read_qsgd(data[COMMON_NUM_BYTES:], kind, bits, count)
    return _read_stepped(data[COMMON_NUM_BYTES:], kind, count, scales)


def _head(kind: LatentKind, bits: int, count: int) -> bytes:
    if not 1 <= count <= MAX_LENGTH:
        raise UsageError(f"expected a vector of 1 to {MAX_LENGTH} numbers, found {count}")
    return struct.pack(">BH", kind << 4 | bits, count - 1)


def _read_head(data: bytes) -> tuple[LatentKind, int, int]:
    _require(data, COMMON_NUM_BYTES)
    first, count_minus_1 = struct.unpack(">BH", data[:COMMON_NUM_BYTES])
    number, bits = first >> 4, first & 15
    if number not in LatentKind.__members__.values():
        raise Corrupt(f"expected a vector of a known kind, found kind {number}; the vector is damaged")
    kind = LatentKind(number)
    if not (1 <= bits <= MAX_BITS if kind in _CODES else bits == 0):
        raise Corrupt(f"expected bits that suit {kind.name.lower()}, found {bits}; the vector is damaged")
    return kind, bits, count_minus_1 + 1


def _read_qsgd(data: bytes, kind: LatentKind, bits: int, count: int) -> QsgdVector:
    _require(data, _NORM_NUM_BYTES)
    norm = _norm(data[:_NORM_NUM_BYTES])
    if not 0 <= norm < math.inf or data[0] >> 7:
        raise Corrupt(f"expected a finite norm without a sign, found {norm}; the vector is damaged")
    reader = BitReader(data[_NORM_NUM_BYTES:])
    levels = np.zeros(0 if norm else count, np.int16)
    if norm:
        read = read_sparse if kind == LatentKind.GAPS else read_dense
        levels = read(reader, _CODES[kind], count, most(bits))
    reader.finish()
    return QsgdVector(norm, bits, levels)


def _read_stepped(
    data: bytes, kind: LatentKind, count: int, scales: NDArray[np.integer] | None
) -> SteppedVector:
    start = _STEP_NUM_BYTES + (kind == LatentKind.GAUSSIAN)
    _require(data, start)
    step = _norm(data[:_STEP_NUM_BYTES] + b"\0\0")
    try:
        round_step(step)
    except UsageError:
        raise Corrupt(f"expected a step from 2^-126 to 2^119, found {step}; the vector is damaged") from None
    if kind == LatentKind.GAUSSIAN:
        if data[_STEP_NUM_BYTES] >= NUM_SCALES:
            raise Corrupt(
                f"expected a scale below {NUM_SCALES}, found {data[start - 1]}; the vector is damaged"
            )
        scales = np.full(count, data[_STEP_NUM_BYTES])
    elif scales is None:
        raise UsageError("expected the scales of the model that this vector belongs to, found none")
    check_scales(scales, count)
    levels, length = read_levels(data[start:], scales)
    if length < len(data) - start:
        raise Corrupt(f"expected {length} bytes of payload, found {len(data) - start}; the vector is damaged")
    return SteppedVector(step, levels)


def _norm(data: bytes) -> float:
    """A float32, big-endian."""
    value: float = struct.unpack(">f", data)[0]
    return value


def _require(data: bytes, count: int) -> None:
    if len(data) < count:
        raise Truncated(
            f"expected at least {count} more bytes of the vector, found {len(data)}; the end is missing"
        )
