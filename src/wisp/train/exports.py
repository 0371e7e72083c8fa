"""Which export a checkpoint asks for."""

from __future__ import annotations

from pathlib import Path

from wisp.errors import UsageError
from wisp.train.checkpoint import load_checkpoint
from wisp.train.export import export_bundle
from wisp.train.export_options import ExportOptions
from wisp.train.latent_export import export_latent_bundle


def export_any(run: Path, folder: Path, data: Path, options: ExportOptions | None = None) -> int:
    """Write the bundle of a run into `folder` and return its bytes; arguments and errors as `export_bundle`."""
    if "codec" in load_checkpoint(run)["recipe"]:
        if options is not None and options.eight_bits:
            raise UsageError(
                "expected no --eight-bits with latents of numbers, whose kernels are; leave it out"
            )
        return export_latent_bundle(run, folder, data, options)
    return export_bundle(run, folder, data, options).num_bytes
