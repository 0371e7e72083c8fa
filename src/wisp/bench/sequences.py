"""Clips as sequences, as independent frames, and by x264 and AV1: bytes against quality.

    wisp bench sequences --clips DIR --weights DIR --out results/sequences

Every folder under DIR is a clip. Each codec codes it at several settings; scores are means over the frames. What a
sequence saves is read at equal LPIPS, between the settings, for every clip. x264 and AV1 count without a container.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import wisp
from wisp.bench.command import command, command_parser, quality_list
from wisp.bench.metrics.panel import MetricPanel, Reference
from wisp.bench.picture_rows import PictureRows, identity_of
from wisp.bench.pictures import picture_hash, picture_paths, read_picture
from wisp.bench.pq_mim_rows import model_version
from wisp.bench.provenance import checkout, meta, note, require_place, write_summary
from wisp.bench.sequences_table import summary
from wisp.codecs import codec_for_model
from wisp.errors import CodecError, UsageError

METRICS = "lpips_squeeze,feature_distance,psnr_db"
QUALITIES = "0,15,30,45,60"
CRFS = {"x264": (30, 36, 42, 48, 51), "av1": (40, 48, 55, 60, 63)}
ENCODERS = {
    "x264": ("libx264", "h264", {"preset": "slow"}),
    "av1": ("libsvtav1", "obu", {"preset": "4"}),
}


@dataclass(frozen=True)
class SequenceRow:
    """One clip by one codec at one setting; columns as in results/FIELDS.md."""

    codec: str
    setting: float
    num_bytes: int
    num_keys: int | None
    scores: dict[str, float | None]


COLUMNS = tuple(SequenceRow.__dataclass_fields__)


def measure(
    frames: Sequence[Image.Image],
    references: Sequence[Reference],
    qualities: Sequence[float],
    model: str,
    threads: int | None,
    peers: Sequence[str],
) -> Iterator[SequenceRow]:
    """Rows of one clip."""
    for quality in qualities:
        files = [wisp.compress(frame, quality=quality, model=model, threads=threads) for frame in frames]
        shown = [wisp.decompress(data, model=model, threads=threads) for data in files]
        yield SequenceRow("frames", quality, sum(map(len, files)), len(files), _scores(references, shown))
        data = wisp.compress_sequence(frames, quality=quality, model=model, threads=threads)
        shown = list(wisp.decompress_sequence(data, model=model, threads=threads))
        keys = len(wisp.read_sequence_info(data).keys)
        yield SequenceRow("sequence", quality, len(data), keys, _scores(references, shown))
    for peer in peers:
        for crf in CRFS[peer]:
            num_bytes, shown = _by_peer(peer, crf, frames)
            if len(shown) != len(frames):
                raise CodecError(f"{peer}: expected {len(frames)} frames back, found {len(shown)}")
            yield SequenceRow(peer, crf, num_bytes, None, _scores(references, shown))


def _by_peer(peer: str, crf: int, frames: Sequence[Image.Image]) -> tuple[int, list[Image.Image]]:
    """Bytes of the elementary stream, and its frames; 4:2:0, one group of pictures."""
    import av

    try:
        return _coded(peer, crf, frames)
    except (ValueError, av.error.FFmpegError) as fault:  # no such encoder, or sizes that it does not take
        raise CodecError(f"{peer}: expected {len(frames)} frames coded, found: {fault}") from fault


def _coded(peer: str, crf: int, frames: Sequence[Image.Image]) -> tuple[int, list[Image.Image]]:
    import av

    name, container_format, options = ENCODERS[peer]
    stream_of = io.BytesIO()
    with av.open(stream_of, "w", format=container_format) as container:
        stream: Any = container.add_stream(name, rate=25, options={**options, "crf": str(crf), "g": "300"})
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_image(frame)))
        container.mux(stream.encode())
    data = stream_of.getvalue()
    with av.open(io.BytesIO(data), "r", format=container_format) as opened:
        shown = [frame.to_image() for frame in opened.decode(video=0)]
    return len(data), shown


def _scores(references: Sequence[Reference], shown: Sequence[Image.Image]) -> dict[str, float | None]:
    found = [reference.compare(image) for reference, image in zip(references, shown, strict=True)]
    return {name: _mean([scores[name] for scores in found]) for name in found[0]}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "sequences", "clips against their frames", "weights out model metrics threads", metrics=METRICS
    )
    parser.add_argument("--clips", type=Path, required=True, help="folder of folders of frames")
    parser.add_argument("--qualities", default=QUALITIES, help="0 to 100, with commas between")
    parser.add_argument("--peers", default="x264,av1", help="of x264 and av1; - for none")
    parser.add_argument("--frames", type=int, default=20, help="of each clip, the first so many")
    return parser


@command("sequences")
def main(arguments: Sequence[str]) -> int:
    """The command; 0 when everything was measured."""
    options = _parser().parse_args(arguments)
    code = checkout()
    qualities = quality_list("--qualities", options.qualities)
    peers = [] if options.peers == "-" else options.peers.split(",")
    if not set(peers) <= set(CRFS):
        raise UsageError(f"--peers: expected x264, av1 or -, found {options.peers!r}")
    if not options.clips.is_dir():
        raise UsageError(f"--clips: expected a folder of folders of frames, found {options.clips}")
    codec = codec_for_model(options.model, options.threads)
    folders = sorted(path for path in options.clips.iterdir() if path.is_dir())
    require_place(options.out)
    panel = MetricPanel.with_any(options.weights, options.metrics)
    version = model_version(codec)
    key = identity_of(version, qualities, peers, options.frames, panel.version, wisp.__version__)
    store = PictureRows(options.out / "rows.jsonl", key)
    for folder in folders:
        frames = [read_picture(path) for path in picture_paths(folder)[: options.frames]]
        digest = identity_of(*map(picture_hash, frames))
        if not store.has(folder.name, digest):
            references = [panel.reference(frame) for frame in frames]
            model = str(codec.bundle.folder)
            rows = measure(frames, references, qualities, model, options.threads, peers)
            store.add(folder.name, digest, [asdict(row) for row in rows])
        note(f"{folder.name}: done")
    found = store.of([folder.name for folder in folders], COLUMNS)
    page = summary(found, [metric.name for metric in panel.metrics], options.frames)
    record = meta("wisp.bench.sequences", arguments, code, **panel.for_meta())
    write_summary(options.out, page, {**record, "models": {codec.bundle.config.name: version}})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
