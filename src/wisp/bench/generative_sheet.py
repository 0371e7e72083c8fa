"""A sheet of held-out faces in a few bytes, by each way: to be looked at."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

import wisp
from wisp.bench.codec import AbstractCodec, Encoded
from wisp.bench.metrics.panel import MetricPanel
from wisp.bench.tiny_sheet import Shown, draw_sheet
from wisp.codecs import LatentVectorCodec
from wisp.errors import BudgetError
from wisp.imaging import to_picture
from wisp.train.inversion import InversionOptions
from wisp.train.invert_pictures import invert_pictures

SIZES = (60, 250)
QUALITY = 75


def face_sheet(
    codec: LatentVectorCodec,
    faces: Sequence[tuple[str, Image.Image]],
    others: Sequence[Sequence[AbstractCodec]],
    panel: MetricPanel,
    options: InversionOptions,
    weights: Path | None,
) -> bytes:
    """A WebP: for each face the original, and at each size inversion, the analysis' guess, the default model, others.

    Args:
        others: families of codecs, each shown at its best by the panel's first metric, lower being better.
    """
    cells: list[list[Shown]] = [[] for _ in faces]
    pictures = [to_picture(image) for _, image in faces]
    for size in SIZES:
        files, _ = invert_pictures(codec, pictures, size, options, weights)
        for place, ((_, image), data) in enumerate(zip(faces, files, strict=True)):
            shown = wisp.decompress(data, model=codec.bundle.folder)
            cells[place].append(Shown("inversion", len(data), shown))
            cells[place] += _cells(codec, image, size, others, panel)
    sheet = draw_sheet([(name, image, shown) for (name, image), shown in zip(faces, cells, strict=True)])
    stream = io.BytesIO()
    sheet.save(stream, "WEBP", quality=QUALITY, method=6)
    return stream.getvalue()


def _cells(
    codec: LatentVectorCodec,
    image: Image.Image,
    size: int,
    others: Sequence[Sequence[AbstractCodec]],
    panel: MetricPanel,
) -> Iterator[Shown]:
    for name, folder in (("encoder", codec.bundle.folder), ("wisp", None)):
        try:
            data = wisp.compress(image, size=size, model=folder)
        except BudgetError:
            yield Shown(name, None, None)
            continue
        yield Shown(name, len(data), wisp.decompress(data, model=folder))
    reference, key = panel.reference(image), panel.metrics[0].name
    for family in others:
        tries = [found for member in family if isinstance(found := member.fit(image, size), Encoded)]
        if not tries:
            yield Shown(family[0].name, None, None)
            continue
        best = min(tries, key=lambda found: reference.compare(found.decoded)[key] or 0.0)
        yield Shown(family[0].name, best.data_num_bytes, best.decoded)
