"""A picture to packets, each of which decodes by itself (docs/packets.md).

pixels -> tokens -> regions dealt to packets -> a grain map for each packet -> payloads -> packets

Every packet gets the same share of the budget. Its regions are spread over the whole picture, so what one packet
needs, the others need as well; and no packet matters more than another when some are lost. Tokens are searched for, and
the writer looks, as for a file at the usual effort.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wisp.allocation.lagrange import Demand, allocate, shrink
from wisp.codecs.looking import USUAL_EFFORT, Look
from wisp.codecs.proposal import Proposal, propose
from wisp.codecs.pyramid_networks import Analysed
from wisp.codecs.token_pyramid import TokenPyramidCodec
from wisp.container import Header, token_check
from wisp.container.packet import MAX_NUM_PACKETS, Packet, pack_packet, packet_overhead
from wisp.errors import BudgetError, UsageError
from wisp.imaging import MAX_EXPONENT, Picture
from wisp.tokens.choices import chosen_at
from wisp.tokens.interleave import interleave, take_regions
from wisp.tokens.pyramid import TokenPyramid

FLUSH_BITS = (7.0, 10.0, 13.0)  # tried in turn: the range coder's rounding and finish cost 1 to 12
GROWTH = 1.02  # more packets each time those of a file turn out too long


def write_packets(codec: TokenPyramidCodec, picture: Picture, num_bytes: int, mtu: int) -> list[bytes]:
    """Packets of at most `mtu` bytes each and `num_bytes` together.

    Raises:
        BudgetError: there are none; it carries the smallest sum that works with this `mtu`.
        UsageError: the model's grain is uniform, or there would be too many packets.
    """
    _refuse_grain(codec)
    counts = [n for n in (-(-num_bytes // mtu), num_bytes // mtu) if 1 <= n <= MAX_NUM_PACKETS]
    if not counts:
        raise UsageError(
            f"expected at most {MAX_NUM_PACKETS} packets of {mtu} bytes, found a size of {num_bytes}; "
            "lower the size or raise the mtu"
        )
    first = codec.settings.first_exponent(picture.width, picture.height, num_bytes)
    for exponent in range(first, MAX_EXPONENT + 1):
        header = _header(codec, picture, exponent)
        payload = max(1, num_bytes - counts[0] * packet_overhead(header, counts[0]))
        look = Look(USUAL_EFFORT, partial(_foreseen, 8.0 * payload))
        args = (codec.bundle, codec.entropy_model, codec.settings, picture, exponent, payload, None)
        proposal = propose(*args, look, search=True)
        for count in dict.fromkeys(min(n, proposal.analysed.tokens.shape.num_regions) for n in counts):
            payloads = _fill(codec, proposal, header, count, min(mtu, num_bytes // count))
            if payloads is not None:
                return _pack(header, payloads)
    smallest = _smallest_size(codec, proposal, header, mtu)
    raise BudgetError(
        f"expected a budget of at least {smallest} bytes in packets of {mtu} for this picture, found {num_bytes}; "
        f"ask for {smallest}",
        smallest,
    )


def split_file(codec: TokenPyramidCodec, header: Header, pyramid: TokenPyramid, mtu: int) -> list[bytes]:
    """The tokens of a file, all of them, in about as few packets of at most `mtu` bytes as will do.

    The packet with the deepest regions decides how many, so the others may be far from full.

    Raises:
        UsageError: not even one packet a region is enough, or the model's grain is uniform.
    """
    _refuse_grain(codec)
    most = min(MAX_NUM_PACKETS, pyramid.shape.num_regions)
    bits = 8 * len(codec.entropy_model.write(pyramid).data)
    count = min(most, max(1, bits // (8 * max(1, mtu - packet_overhead(header, most)))))
    while True:
        room = mtu - packet_overhead(header, count)
        parts = [codec.entropy_model.write(part).data for part in _deal(pyramid, count)]
        if max(map(len, parts)) <= room:
            return _pack(header, parts)
        if count == most:
            raise UsageError(
                f"expected packets of at least {max(map(len, parts)) + mtu - room} bytes for this file, found {mtu}; "
                "raise the mtu"
            )
        count = min(most, max(count + 1, int(count * GROWTH)))


def _refuse_grain(codec: TokenPyramidCodec) -> None:
    if codec.is_uniform or codec.is_routed:
        raise UsageError(
            f"expected a model with a grain map of depths for packets, found {codec.bundle.config.name} of "
            f"{codec.bundle.config.grain} grain; use wisp_small"
        )


def _header(codec: TokenPyramidCodec, picture: Picture, exponent: int) -> Header:
    return Header(
        model_number=codec.bundle.config.model_number,
        width=picture.width,
        height=picture.height,
        greyscale=picture.greyscale,
        scale_exponent=exponent,
        has_chunks=False,
    )


def _dealt(rows: int, columns: int, count: int) -> list[NDArray[np.intp]]:
    """Raster numbers of each packet's regions, rising."""
    packets = interleave(rows, columns, count).ravel()
    order = np.argsort(packets, kind="stable")
    return np.split(order, np.searchsorted(packets[order], np.arange(1, count)))


def _deal(pyramid: TokenPyramid, count: int) -> list[TokenPyramid]:
    shape = pyramid.shape
    return [take_regions(pyramid, chosen) for chosen in _dealt(shape.rows, shape.columns, count)]


def _fill(
    codec: TokenPyramidCodec, proposal: Proposal, header: Header, count: int, num_bytes: int
) -> list[bytes] | None:
    """Payloads of `count` packets of at most `num_bytes` bytes each, or None if one cannot be so short."""
    room = num_bytes - packet_overhead(header, count)
    shape = proposal.analysed.tokens.shape
    payloads = []
    for chosen in _dealt(shape.rows, shape.columns, count):
        sent = _sent(proposal.analysed, chosen)
        demand = _demand_of(proposal.demand, chosen)
        for flush_bits in FLUSH_BITS:
            depths = allocate(demand, 8.0 * room - flush_bits)
            data = codec.entropy_model.write(sent(depths)).data
            if len(data) <= room:
                break
        while len(data) > room and depths.max() > 1:
            depths = shrink(demand, depths, 1 + (len(data) - room) // 2)
            data = codec.entropy_model.write(sent(depths)).data
        if len(data) > room:
            return None
        payloads.append(data)
    return payloads


def _foreseen(bits: float, demand: Demand) -> NDArray[np.uint8]:
    return allocate(demand, bits)


def _sent(analysed: Analysed, chosen: NDArray[np.intp]) -> Callable[[NDArray[np.uint8]], TokenPyramid]:
    """What is sent of some regions, arranged as a column, with the depths (k, 1) of each."""
    choices: tuple[NDArray[np.uint8], ...] = ()
    if analysed.choices:
        choices = take_regions(replace(analysed.tokens, planes=analysed.choices), chosen).planes
    return partial(chosen_at, take_regions(analysed.tokens, chosen), choices)


def _demand_of(demand: Demand, chosen: NDArray[np.intp]) -> Demand:
    """What some regions gain and cost, arranged as the column that they are coded as."""
    return Demand(
        demand.distortions.reshape(len(demand.distortions), -1, 1)[:, chosen],
        demand.token_bits.reshape(len(demand.token_bits), -1, 1)[:, chosen],
        demand.map_bits,
    )


def _smallest_size(codec: TokenPyramidCodec, proposal: Proposal, header: Header, mtu: int) -> int:
    """The least sum of packets of at most `mtu` bytes that hold a token of every region.

    Raises:
        UsageError: there is none at any sum.
    """
    flat = proposal.analysed.at(np.ones_like(proposal.analysed.tokens.grain_map))
    most = min(MAX_NUM_PACKETS, flat.shape.num_regions)

    def longest(count: int) -> int:
        parts = [codec.entropy_model.write(part).data for part in _deal(flat, count)]
        return max(map(len, parts)) + packet_overhead(header, count)

    if longest(most) > mtu:
        raise UsageError(
            f"expected packets of at least {longest(most)} bytes for this picture, found {mtu}; raise the mtu"
        )
    low, high = 0, most  # packets get shorter as they get more, but for a byte here and there
    while high - low > 1:
        count = (low + high) // 2
        low, high = (low, count) if longest(count) <= mtu else (count, high)
    return max(high * longest(high), (high - 1) * mtu + 1)


def _pack(header: Header, payloads: list[bytes]) -> list[bytes]:
    identity = token_check(b"", *payloads)
    count = len(payloads)
    return [
        pack_packet(Packet(header, identity, index, count, payload)) for index, payload in enumerate(payloads)
    ]
