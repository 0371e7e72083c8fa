"""Tables 1 and 2 of Generative Compression, on real files of pictures that no training saw.

    wisp bench generative --faces DIR --train-faces DIR --photographs DIR --weights DIR --out results/generative

Faces: files of a few sizes by a latent vector (the analysis' guess, and found by inversion), by a latent grid, by
wisp's default model, by principal components, and by WebP, AVIF and JPEG XL at their best scale. The same vectors
in the published code, QSGD and Elias. Inversion of the generator's own drawings, which is all that the paper
measured. Photographs: a latent grid at each of its rates, beside others in as many bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import wisp
from wisp.bench.catalogue import DENOMINATORS, codec_named
from wisp.bench.codec import AbstractCodec, CodecUnavailable, Encoded
from wisp.bench.command import command, command_parser
from wisp.bench.eigenfaces import EigenfaceCodec
from wisp.bench.generative_sheet import face_sheet
from wisp.bench.generative_table import is_best, summary
from wisp.bench.metrics.panel import MetricPanel, Reference
from wisp.bench.picture_rows import PictureRows, identity_of
from wisp.bench.pictures import picture_hash, picture_paths, read_picture
from wisp.bench.provenance import checkout, meta, note, require_place, write_summary
from wisp.codecs import LatentGridCodec, LatentVectorCodec, any_codec_for_model
from wisp.codecs.latent_vector import step_of
from wisp.entropy.gaussian_tables import deviation
from wisp.errors import BudgetError, UsageError
from wisp.imaging import to_picture
from wisp.train.inversion import InversionOptions
from wisp.train.invert_pictures import invert_pictures, published_file

METRICS = "lpips_squeeze,feature_distance,psnr_db,ssim"
SIZES = (60, 120, 250)
PUBLISHED_BITS = (8, 6, 4)
FAMILIES = ("webp", "avif", "jxl")
BATCH = 10  # faces that are inverted together
SHOWN = 6  # faces on the sheet
FACES, PHOTOGRAPHS, DRAWN = "faces", "photographs", "drawn"


@dataclass(frozen=True)
class GenerativeRow:
    """One picture in one way; columns as in results/FIELDS.md."""

    table: str
    codec: str
    target: str
    num_bytes: int
    raw_num_bytes: int
    scores: dict[str, float | None]


COLUMNS = tuple(GenerativeRow.__dataclass_fields__)


@dataclass(frozen=True)
class Subjects:
    """What is measured.

    Attributes:
        vector, grid: the two approaches.
        peers: of each family its codec at several scales.
        pca: None to leave it out.
    """

    vector: LatentVectorCodec
    grid: LatentGridCodec
    peers: dict[str, list[AbstractCodec]]
    pca: EigenfaceCodec | None
    panel: MetricPanel
    inversion: InversionOptions
    weights: Path | None


def face_rows(
    subjects: Subjects, images: Sequence[Image.Image], table: str, sizes: Sequence[int]
) -> list[list[GenerativeRow]]:
    """Rows of each of a batch of faces."""
    references = [subjects.panel.reference(image) for image in images]
    rows: list[list[GenerativeRow]] = [[] for _ in images]
    pictures = [to_picture(image) for image in images]
    is_real = table == FACES
    for size in sizes:
        files, found = invert_pictures(subjects.vector, pictures, size, subjects.inversion, subjects.weights)
        for i, data in enumerate(files):
            rows[i].append(_file_row(subjects, references[i], table, "inversion", str(size), data))
        if is_real and size == max(sizes):
            for bits in PUBLISHED_BITS:
                for i, picture in enumerate(pictures):
                    data = published_file(subjects.vector, picture, found, i, bits)
                    rows[i].append(
                        _file_row(subjects, references[i], table, "inversion, qsgd", f"{bits} bits", data)
                    )
        for i, (image, reference) in enumerate(zip(images, references, strict=True)):
            rows[i] += _others(subjects, image, reference, table, size) if is_real else []
    return rows


def _others(
    subjects: Subjects, image: Image.Image, reference: Reference, table: str, size: int
) -> Iterator[GenerativeRow]:
    models = {"encoder": subjects.vector.bundle.folder, "vae_gan": subjects.grid.bundle.folder, "wisp": None}
    for name, folder in models.items():
        try:
            data = wisp.compress(image, size=size, model=folder)
        except BudgetError:
            continue
        yield _file_row(subjects, reference, table, name, str(size), data)
    families = list(subjects.peers.values())
    if subjects.pca is not None:
        families.insert(0, [subjects.pca])
    for members in families:
        yield from _best_tries(members, image, reference, table, str(size), size)


def _best_tries(
    members: Sequence[AbstractCodec],
    image: Image.Image,
    reference: Reference,
    table: str,
    target: str,
    size: int,
) -> list[GenerativeRow]:
    """The tries of a family that are its best in one metric at least."""
    rows = []
    for codec in members:
        fitted = codec.fit(image, size)
        if isinstance(fitted, Encoded):
            scores = reference.compare(fitted.decoded)
            rows.append(_row(table, codec.name, target, fitted.data_num_bytes, image, scores))
    return [row for row in rows if any(is_best(row, rows, metric) for metric in row.scores)]


def photograph_rows(subjects: Subjects, image: Image.Image) -> Iterator[GenerativeRow]:
    """Rows of one photograph: the grid at each rate, and others in as many bytes."""
    reference = subjects.panel.reference(image)
    folder = subjects.grid.bundle.folder
    for channels in subjects.grid.rates:
        data = wisp.compress(image, channels=channels, model=folder)
        target = f"{channels} channels"
        yield _file_row(subjects, reference, PHOTOGRAPHS, "vae_gan", target, data)
        ours = wisp.compress(image, size=len(data))
        yield _file_row(subjects, reference, PHOTOGRAPHS, "wisp", target, ours)
        for family in ("jpeg", "webp", "avif"):
            members = [codec_named(name) for name in (family, f"{family}@1/2", f"{family}@1/4")]
            yield from _best_tries(members, image, reference, PHOTOGRAPHS, target, len(data))


def _file_row(
    subjects: Subjects, reference: Reference, table: str, codec: str, target: str, data: bytes
) -> GenerativeRow:
    number = wisp.read_info(data).model_number
    bundles = (subjects.vector.bundle, subjects.grid.bundle)
    folder = next((b.folder for b in bundles if b.config.model_number == number), None)
    shown = wisp.decompress(data, model=folder)
    return _row(table, codec, target, len(data), shown, reference.compare(shown))


def _row(
    table: str, codec: str, target: str, num_bytes: int, image: Image.Image, scores: dict[str, float | None]
) -> GenerativeRow:
    return GenerativeRow(table, codec, target, num_bytes, 3 * image.width * image.height, scores)


def drawn_faces(codec: LatentVectorCodec, count: int) -> list[Image.Image]:
    """Drawings of the generator for latents of its prior: what the paper took for originals."""
    random = np.random.default_rng(0)
    spreads = np.array([deviation(int(i)) for i in codec.scales_at(32)])
    step = step_of(codec.finest)
    latents = (spreads * random.standard_normal((count, codec.dimensions))).astype(np.float32)
    return [Image.fromarray(codec.synthesise(latent, step)) for latent in latents]


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("generative", "Generative Compression's tables", "out metrics", metrics=METRICS)
    parser.add_argument("--faces", type=Path, required=True, help="folder of held-out faces")
    parser.add_argument("--train-faces", type=Path, help="faces for principal components; without, none")
    parser.add_argument("--photographs", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--weights", type=Path, help="folder of the metrics' and the inversion's weights")
    parser.add_argument(
        "--vector", default="gan_inversion", help="a model of latent vectors: a name or a folder"
    )
    parser.add_argument("--grid", default="vae_gan", help="a model of latent grids: a name or a folder")
    parser.add_argument("--limit", type=int, default=60, help="faces, evenly spread over the names")
    parser.add_argument("--drawn", type=int, default=10, help="drawings of the generator that are inverted")
    parser.add_argument("--steps", type=int, default=150, help="of an inversion")
    parser.add_argument("--sheet", type=Path, help="a WebP of six of the faces")
    return parser


def _subjects(options: argparse.Namespace) -> Subjects:
    vector, grid = any_codec_for_model(options.vector), any_codec_for_model(options.grid)
    if not isinstance(vector, LatentVectorCodec) or not isinstance(grid, LatentGridCodec):
        raise UsageError(f"expected a vector's and a grid's model, found {options.vector}, {options.grid}")
    peers = {}
    for family in FAMILIES:
        try:
            peers[family] = [codec_named(n) for n in (family, *(f"{family}@1/{d}" for d in DENOMINATORS))]
        except CodecUnavailable as reason:
            note(f"{family}: {reason}")
    pca = None if options.train_faces is None else EigenfaceCodec(options.train_faces)
    panel = MetricPanel.with_any(options.weights, options.metrics)
    inversion = InversionOptions(steps=options.steps)
    return Subjects(vector, grid, peers, pca, panel, inversion, options.weights)


@command("generative")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when everything was measured."""
    options = _parser().parse_args(arguments)
    code = checkout()
    if options.sheet is not None and options.sheet.suffix != ".webp":
        raise UsageError(f"--sheet: expected a name that ends in .webp, found {options.sheet}")
    if min(options.limit, options.steps) < 1 or options.drawn < 0:
        raise UsageError("--limit, --steps: expected at least 1, --drawn at least 0")
    require_place(options.out)
    subjects = _subjects(options)
    store, names = _measure(options, subjects)
    metrics = [metric.name for metric in subjects.panel.metrics]
    page = summary(store.of(names, COLUMNS), metrics)
    record = meta("wisp.bench.generative", arguments, code, **subjects.panel.for_meta())
    write_summary(options.out, page, record)
    if options.sheet is not None:
        _draw(options, subjects)
    return 0


def _draw(options: argparse.Namespace, subjects: Subjects) -> None:
    paths = picture_paths(options.faces)
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(SHOWN, len(paths))).astype(int)]
    faces = [(path.stem, read_picture(path)) for path in chosen]
    others = [subjects.peers["webp"]]
    if subjects.pca is not None:
        others.insert(0, [subjects.pca])
    data = face_sheet(subjects.vector, faces, others, subjects.panel, subjects.inversion, subjects.weights)
    options.sheet.parent.mkdir(parents=True, exist_ok=True)
    options.sheet.write_bytes(data)


def _measure(options: argparse.Namespace, subjects: Subjects) -> tuple[PictureRows, list[str]]:
    models = [codec.bundle.config.files for codec in (subjects.vector, subjects.grid)]
    peers = [codec.version for members in subjects.peers.values() for codec in members]
    pca = None if subjects.pca is None else subjects.pca.version
    identity = identity_of(models, peers, pca, subjects.panel.version, subjects.inversion, wisp.__version__)
    store = PictureRows(options.out / "rows.jsonl", identity)
    paths = picture_paths(options.faces)
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(options.limit, len(paths))).astype(int)]
    faces = [(path.stem, read_picture(path)) for path in chosen]
    drawn = [(f"{DRAWN}-{i}", image) for i, image in enumerate(drawn_faces(subjects.vector, options.drawn))]
    names = []
    for table, named in ((FACES, faces), (DRAWN, drawn)):
        names += [name for name, _ in named]
        missing = [(name, image) for name, image in named if not store.has(name, picture_hash(image))]
        for first in range(0, len(missing), BATCH):
            some = missing[first : first + BATCH]
            found = face_rows(subjects, [image for _, image in some], table, SIZES)
            for (name, image), rows in zip(some, found, strict=True):
                store.add(name, picture_hash(image), [asdict(row) for row in rows])
            note(f"{table}: {first + len(some)} of {len(missing)}")
    names += store.fill(
        picture_paths(options.photographs), lambda image: map(asdict, photograph_rows(subjects, image))
    )
    return store, names


if __name__ == "__main__":
    raise SystemExit(main())
