"""Which export a checkpoint asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wisp.train.checkpoint import load_checkpoint
from wisp.train.export import export_bundle
from wisp.train.latent_export import export_latent_bundle


def export_any(
    run: Path,
    folder: Path,
    data: Path,
    *,
    force: bool = False,
    image_limit: int | None = 1200,
    name: str | None = None,
    card_notes: str = "",
    note: Callable[[str], None] = lambda text: None,
) -> int:
    """Write the bundle of a run into `folder` and return its bytes; arguments and errors as `export_bundle`."""
    if "codec" in load_checkpoint(run)["recipe"]:
        return export_latent_bundle(
            run,
            folder,
            data,
            force=force,
            image_limit=image_limit,
            name=name,
            card_notes=card_notes,
            note=note,
        )
    report = export_bundle(
        run, folder, data, force=force, image_limit=image_limit, name=name, card_notes=card_notes, note=note
    )
    return report.num_bytes
