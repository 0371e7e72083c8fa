"""The codecs of the bench by their names on the command line."""

from __future__ import annotations

from collections.abc import Callable

from wisp.bench.codec import AbstractCodec
from wisp.bench.codec_wisp import WispCodec
from wisp.bench.peers.avif import AvifCodec
from wisp.bench.peers.jpeg import JpegCodec
from wisp.bench.peers.scaled import ScaledCodec
from wisp.bench.peers.webp import WebpCodec
from wisp.errors import UsageError

WISP = "wisp"
PEERS: dict[str, Callable[[], AbstractCodec]] = {"jpeg": JpegCodec, "webp": WebpCodec, "avif": AvifCodec}
DENOMINATORS = (2, 4, 8, 16)


def codec_named(name: str, model: str | None = None) -> AbstractCodec:
    """The codec of that name: ``wisp``, a peer, or a peer at a fraction of the size, ``avif@1/2``.

    Args:
        name: as above.
        model: for ``wisp`` alone: a model's name or a bundle's path; None is the default model.

    Raises:
        UsageError: no such codec.
    """
    if name == WISP:
        return WispCodec(model)
    base, _, fraction = name.partition("@")
    if base in PEERS and name == base:
        return PEERS[base]()
    for denominator in DENOMINATORS:
        if base in PEERS and fraction == f"1/{denominator}":
            return ScaledCodec(PEERS[base](), denominator)
    raise UsageError(
        f"--codecs: expected {WISP}, {', '.join(PEERS)} or one of the latter with @1/2, @1/4, @1/8, @1/16, "
        f"found {name!r}"
    )
