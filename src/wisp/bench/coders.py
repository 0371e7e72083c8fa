"""What a range coder adds to a small payload: wisp's own beside constriction's, on the same frequencies.

    wisp bench coders [--out results/NAME] [--streams 2000] [--bytes 200]

A stream is as many random 256-symbol rows as make a payload of the wanted size; its symbols are drawn from
its own frequencies. The ideal is the sum of -log2(f / 2^16) over its symbols. Every payload is decoded again.
constriction (extra [dev]) gets weights 256 f - 1, which it codes with exactly the probabilities f / 2^16.
"""

from __future__ import annotations

import importlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wisp.bench.command import command, command_parser
from wisp.bench.markdown import number, table
from wisp.bench.provenance import meta, write_json, write_text
from wisp.entropy.integer_softmax import cumulatives, frequencies
from wisp.entropy.range_coder import RangeDecoder, RangeEncoder
from wisp.errors import CodecError, UsageError

SPREADS = (8, 24, 60)  # standard deviations of the logits, 1/16 nat: about 7.8, 6.4 and 2.9 bits a symbol
WORD_NUM_BYTES = 4


@dataclass(frozen=True)
class Stream:
    """Frequencies (n, 256) uint32 whose rows sum to 2^16, one symbol (n,) a row, and its ideal size in bytes."""

    frequencies: NDArray[np.uint32]
    symbols: NDArray[np.int32]
    ideal_num_bytes: float


@dataclass(frozen=True)
class CoderFigures:
    """One coder over all streams: bytes beyond the ideal, and milliseconds a stream."""

    coder: str
    mean_overhead_num_bytes: float
    most_overhead_num_bytes: float
    encode_ms: float
    decode_ms: float


class Coder(ABC):
    """Whole streams to bytes and back."""

    name: str

    @abstractmethod
    def encode(self, stream: Stream) -> bytes:
        """The stream's payload."""

    @abstractmethod
    def decode(self, payload: bytes, stream: Stream) -> NDArray[Any]:
        """The symbols of a payload, from the stream's frequencies."""


class WispCoder(Coder):
    """wisp.entropy.range_coder."""

    name = "wisp"

    def encode(self, stream: Stream) -> bytes:
        rows = cumulatives(stream.frequencies)
        every = np.arange(len(stream.symbols))
        starts = rows[every, stream.symbols]
        encoder = RangeEncoder()
        encoder.encode(starts.tolist(), (rows[every, stream.symbols + 1] - starts).tolist())
        return encoder.finish()

    def decode(self, payload: bytes, stream: Stream) -> NDArray[Any]:
        decoder = RangeDecoder(payload + b"\xa5\x5a")  # whatever follows, as the check does in a file
        symbols = decoder.decode(cumulatives(stream.frequencies))
        if decoder.finish() != len(payload):
            raise CodecError(f"expected {len(payload)} bytes of payload, the decoder found another length")
        return symbols


class ConstrictionCoder(Coder):
    """constriction's range coder: 32-bit words, of which trailing zero bytes may be dropped."""

    def __init__(self, drop_zeros: bool) -> None:
        try:
            library: Any = importlib.import_module("constriction")
        except ImportError:
            raise UsageError("expected constriction, found none: install wisp-codec[dev]") from None
        self._queue = library.stream.queue
        self._family = library.stream.model.Categorical(perfect=False)
        self._drop_zeros = drop_zeros
        self.name = "constriction, trailing zero bytes dropped" if drop_zeros else "constriction"

    def encode(self, stream: Stream) -> bytes:
        encoder = self._queue.RangeEncoder()
        encoder.encode(stream.symbols, self._family, _weights(stream))
        payload: bytes = encoder.get_compressed().astype(f">u{WORD_NUM_BYTES}").tobytes()
        return payload.rstrip(b"\0") if self._drop_zeros else payload

    def decode(self, payload: bytes, stream: Stream) -> NDArray[Any]:
        whole = payload + bytes(-len(payload) % WORD_NUM_BYTES)
        words = np.frombuffer(whole, f">u{WORD_NUM_BYTES}").astype(np.uint32)
        symbols: NDArray[Any] = self._queue.RangeDecoder(words).decode(self._family, _weights(stream))
        return symbols


def _weights(stream: Stream) -> NDArray[np.float64]:
    """(n, 256): whole numbers that sum to 2^24 - 256; constriction adds one to each."""
    return stream.frequencies.astype(np.float64) * 256 - 1


def make_streams(count: int, num_bytes: int, seed: int) -> Iterator[Stream]:
    """Random streams whose ideal lies evenly between 3/4 and 5/4 of `num_bytes` bytes.

    Streams that all end just above a whole number of bytes or words would flatter or wrong a coder.
    """
    random = np.random.default_rng(seed)
    for _ in range(count):
        spread = random.choice(SPREADS)
        rows, symbols, costs = [], [], []
        left = 8 * num_bytes * random.uniform(0.75, 1.25)
        while left > 0:
            freqs = frequencies(np.rint(random.normal(0, spread, (num_bytes, 256))).astype(np.int16))
            drawn = (cumulatives(freqs)[:, 1:] <= random.integers(0, 1 << 16, (num_bytes, 1))).sum(1)
            bits = 16 - np.log2(freqs[np.arange(num_bytes), drawn])
            taken = min(num_bytes, int(np.searchsorted(np.cumsum(bits), left)) + 1)
            rows.append(freqs[:taken])
            symbols.append(drawn[:taken].astype(np.int32))
            costs.append(bits[:taken].sum())
            left -= costs[-1]
        yield Stream(np.concatenate(rows), np.concatenate(symbols), sum(costs) / 8)


def measure(coders: Sequence[Coder], streams: Iterator[Stream]) -> list[CoderFigures]:
    """Every stream through every coder.

    Raises:
        CodecError: a coder did not give the symbols back.
    """
    overheads: list[list[float]] = [[] for _ in coders]
    seconds = np.zeros((len(coders), 2))
    for stream in streams:
        for i, coder in enumerate(coders):
            started = time.perf_counter()
            payload = coder.encode(stream)
            encoded = time.perf_counter()
            symbols = coder.decode(payload, stream)
            seconds[i] += encoded - started, time.perf_counter() - encoded
            if not np.array_equal(symbols, stream.symbols):
                raise CodecError(f"expected the symbols back from {coder.name}, found others")
            overheads[i].append(len(payload) - stream.ideal_num_bytes)
    return [
        CoderFigures(coder.name, float(np.mean(over)), float(max(over)), *(1000 * spent / len(over)).tolist())
        for coder, over, spent in zip(coders, overheads, seconds, strict=True)
    ]


def summary(found: Sequence[CoderFigures], about: str) -> str:
    """The page: a line a coder."""
    lines = [
        [f.coder]
        + [number(v, 2) for v in (f.mean_overhead_num_bytes, f.most_overhead_num_bytes)]
        + [number(v, 2) for v in (f.encode_ms, f.decode_ms)]
        for f in found
    ]
    header = ["coder", "mean, bytes over the ideal", "most", "encode, ms a stream", "decode, ms a stream"]
    return "\n".join(["# Range coders", "", about, "", *table(header, lines)]) + "\n"


@command("coders")
def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = command_parser("coders", "bytes over the ideal")
    parser.add_argument("--out", type=Path, help="folder for the results; only printed without it")
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--bytes", type=int, default=200, help="size of a payload")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.streams < 1 or options.bytes < 1:
        raise UsageError("--streams and --bytes: expected at least 1")
    coders = [WispCoder(), ConstrictionCoder(False), ConstrictionCoder(True)]
    found = measure(coders, make_streams(options.streams, options.bytes, options.seed))
    release = version("constriction")
    what = f"{options.streams} random streams of about {options.bytes} bytes"
    about = f"{what}; constriction {release}, perfect=False."
    print(summary(found, about))
    if options.out is not None:
        write_json(options.out / "coders.json", {"coders": [asdict(f) for f in found]})
        write_text(options.out / "summary.md", summary(found, about))
        write_json(options.out / "meta.json", meta("wisp.bench.coders", arguments, constriction=release))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
