"""Codecs that send a picture in packets and show it from whichever arrive: wisp, and restart-marker JPEG as its peer.

The peer works as SSDV does, the system in use on radio links: one JPEG at a reduced size, cut where the coefficients
start anew, each piece in a packet of its own. It is given more than SSDV has: its headers and tables cost nothing, the
pieces need to fit the packets on average only, and its size is the one that scores best when nothing is lost.
"""

from __future__ import annotations

import io
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wisp.bench.codec import CodecUnavailable
from wisp.codecs import codec_for_model
from wisp.codecs.packet_reading import read_packets, show_packets
from wisp.container.packet_set import sort_packets
from wisp.errors import UsageError

OVERHEAD_NUM_BYTES = 11  # of wisp's packets; SSDV's have 19
DENOMINATORS = (1, 2, 4, 6, 8)
MCU = 16  # pixels, at 4:2:0
GREY = 128

Score = Callable[[Image.Image], float]


@dataclass(frozen=True)
class Sent:
    """A picture on its way.

    Attributes:
        count: packets.
        num_bytes: of all packets together.
        setting: what the codec chose.
        show: the picture from the packets of these indices, at least one.
    """

    count: int
    num_bytes: int
    setting: str
    show: Callable[[Sequence[int]], Image.Image]


class AbstractPacketCodec(ABC):
    """One way to send a picture in packets."""

    name: str

    @abstractmethod
    def send(self, image: Image.Image, size: int, mtu: int, score: Score) -> Sent:
        """Packets of about `mtu` bytes and at most `size` together; a lower `score` of a shown picture is better."""


class WispPackets(AbstractPacketCodec):
    """wisp.packetize; what does not arrive is repaired as `wisp.unpacketize` does it."""

    name = "wisp"
    is_repaired = True

    def __init__(self, model: str | None = None) -> None:
        self._model = model

    def send(self, image: Image.Image, size: int, mtu: int, score: Score) -> Sent:
        import wisp

        packets = wisp.packetize(image, size=size, mtu=mtu, model=self._model)

        def show(indices: Sequence[int]) -> Image.Image:
            chosen = [packets[i] for i in indices]
            if self.is_repaired:
                return wisp.unpacketize(chosen, model=self._model).image.convert("RGB")
            codec = codec_for_model(self._model)
            received = read_packets(codec, sort_packets(chosen))
            return Image.fromarray(show_packets(codec, received.header, received.pyramid))

        return Sent(len(packets), sum(map(len, packets)), f"size={size} mtu={mtu}", show)


class WispLeftOut(WispPackets):
    """The same packets without repair: the network's answer to tokens that were not sent."""

    name = "wisp_left_out"
    is_repaired = False


class JpegRestart(AbstractPacketCodec):
    """Restart-marker JPEG; lost blocks are interpolated from the rows above and below."""

    name = "jpeg_restart"
    is_concealed = True

    def send(self, image: Image.Image, size: int, mtu: int, score: Score) -> Sent:
        count = -(-size // mtu)
        room = size - count * OVERHEAD_NUM_BYTES
        best: tuple[float, Sent] | None = None
        for denominator in DENOMINATORS:
            width, height = (max(MCU, -(-side // denominator)) for side in image.size)
            small = image.resize((width, height), Image.Resampling.LANCZOS)
            found = _fit(small, count, room)
            if found is None:
                continue
            quality, num_bytes, decoded, owners = found
            sent = Sent(
                int(owners.max()) + 1,
                num_bytes + count * OVERHEAD_NUM_BYTES,
                f"1/{denominator} quality={quality}",
                self._shower(decoded, owners, image.size),
            )
            value = score(sent.show(range(sent.count)))
            if best is None or value < best[0]:
                best = value, sent
        if best is None:
            raise CodecUnavailable(f"expected a JPEG of at most {room} bytes, found none at any size")
        return best[1]

    def _shower(
        self, decoded: NDArray[np.uint8], owners: NDArray[np.intp], size: tuple[int, int]
    ) -> Callable[[Sequence[int]], Image.Image]:
        def show(indices: Sequence[int]) -> Image.Image:
            arrived = np.isin(owners, list(indices))
            shown = conceal(decoded, arrived) if self.is_concealed else blank(decoded, arrived)
            return Image.fromarray(shown).resize(size, Image.Resampling.BICUBIC)

        return show


class JpegRestartGrey(JpegRestart):
    """The same; lost blocks are grey, as SSDV leaves them."""

    name = "jpeg_restart_grey"
    is_concealed = False


CODECS: dict[str, Callable[[str | None], AbstractPacketCodec]] = {
    "wisp": WispPackets,
    "wisp_left_out": WispLeftOut,
    "jpeg_restart": lambda model: JpegRestart(),
    "jpeg_restart_grey": lambda model: JpegRestartGrey(),
}


def codecs_named(names: str, model: str | None) -> list[AbstractPacketCodec]:
    """Codecs from a list with commas.

    Raises:
        UsageError: a name is unknown.
    """
    for name in names.split(","):
        if name not in CODECS:
            raise UsageError(f"--codecs: expected some of {', '.join(CODECS)}, found {name!r}")
    return [CODECS[name](model) for name in dict.fromkeys(names.split(","))]


def _fit(
    image: Image.Image, count: int, room: int
) -> tuple[int, int, NDArray[np.uint8], NDArray[np.intp]] | None:
    """Quality, bytes, pixels and the piece of every pixel, of the best JPEG whose pieces have `room` bytes."""
    columns, rows = (-(-side // MCU) for side in image.size)
    interval = math.ceil(columns * rows / count)
    low, high, best = 1, 95, None
    while low <= high:
        quality = (low + high) // 2
        sink = io.BytesIO()
        image.save(sink, "JPEG", quality=quality, subsampling="4:2:0", restart_marker_blocks=interval)
        num_bytes = scan_num_bytes(sink.getvalue())
        if num_bytes <= room:
            best, low = (quality, num_bytes, sink), quality + 1
        else:
            high = quality - 1
    if best is None:
        return None
    with Image.open(best[2]) as opened:
        decoded = np.asarray(opened.convert("RGB"))
    pieces = (np.arange(rows * columns) // interval).reshape(rows, columns)
    owners = pieces.repeat(MCU, 0).repeat(MCU, 1)[: image.height, : image.width]
    return best[0], best[1], decoded, owners


def scan_num_bytes(data: bytes) -> int:
    """Entropy-coded bytes of a baseline JPEG: what follows the start of scan, without markers (2 bytes each)."""
    place = 2
    while data[place + 1] != 0xDA:
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    scan = data[place + 2 + int.from_bytes(data[place + 2 : place + 4], "big") : -2]
    markers = sum(scan.count(bytes([0xFF, 0xD0 + n])) for n in range(8))
    return len(scan) - 2 * markers


def blank(pixels: NDArray[np.uint8], arrived: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(h, w, 3) with grey where `arrived` (h, w) is false."""
    return np.where(arrived[..., None], pixels, np.uint8(GREY))


def conceal(pixels: NDArray[np.uint8], arrived: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(h, w, 3) with lost pixels interpolated along their column; columns without any take the nearest column."""
    height, width = arrived.shape
    shown = np.empty((height, width, 3))
    columns = np.flatnonzero(arrived.any(0))
    for x in range(width):
        source = x if arrived[:, x].any() else int(columns[np.abs(columns - x).argmin()])
        known = np.flatnonzero(arrived[:, source])
        for channel in range(3):
            shown[:, x, channel] = np.interp(np.arange(height), known, pixels[known, source, channel])
    return np.rint(shown).astype(np.uint8)
