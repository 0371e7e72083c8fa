"""The codecs of the bench by their names on the command line."""

from __future__ import annotations

from collections.abc import Callable

from wisp.bench.codec import AbstractCodec
from wisp.bench.codec_wisp import WispCodec
from wisp.bench.peers.avif import AvifCodec
from wisp.bench.peers.blurhash import BlurhashCodec
from wisp.bench.peers.compressai import PREFIX, CompressaiCodec
from wisp.bench.peers.jpeg import JpegCodec
from wisp.bench.peers.jxl import JxlCodec
from wisp.bench.peers.scaled import ScaledCodec
from wisp.bench.peers.thumbhash import ThumbhashCodec
from wisp.bench.peers.webp import WebpCodec
from wisp.errors import UsageError

WISP = "wisp"
# Those that may be tried at a fraction of the size.
SCALABLE: dict[str, Callable[[], AbstractCodec]] = {
    "jpeg": JpegCodec,
    "webp": WebpCodec,
    "avif": AvifCodec,
    "jxl": JxlCodec,
}
# Their files hardly grow with the picture: a smaller picture would change nothing.
PLACEHOLDERS: dict[str, Callable[[], AbstractCodec]] = {
    "blurhash": BlurhashCodec,
    "thumbhash": ThumbhashCodec,
}
PEERS = SCALABLE | PLACEHOLDERS
DENOMINATORS = (2, 4, 8, 16, 32)


def codec_named(name: str, model: str | None = None) -> AbstractCodec:
    """The codec of that name.

    ``wisp``, a peer, a peer at a fraction of the size (``avif@1/2``), or an architecture of CompressAI's zoo
    (``compressai:bmshj2018-hyperprior``).

    Args:
        name: as above.
        model: for ``wisp`` alone: a model's name or a bundle's path; None is the default model.

    Raises:
        UsageError: no such codec.
        CodecUnavailable: there is such a codec, but what it needs is not installed here.
    """
    if name == WISP:
        return WispCodec(model)
    if name in PEERS:
        return PEERS[name]()
    if name.startswith(PREFIX) and name != PREFIX:
        return CompressaiCodec(name.removeprefix(PREFIX))
    base, _, fraction = name.partition("@")
    for denominator in DENOMINATORS:
        if base in SCALABLE and fraction == f"1/{denominator}":
            return ScaledCodec(SCALABLE[base](), denominator)
    raise UsageError(
        f"--codecs: expected {WISP}, {', '.join(PEERS)}, {PREFIX}NAME, "
        f"or one of {', '.join(SCALABLE)} with @1/2 .. @1/{DENOMINATORS[-1]}, found {name!r}"
    )
