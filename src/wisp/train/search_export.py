"""Give a bundle the writer's search for tokens that go together: search.onnx beside its analysis network.

    python -m wisp.train.search_export BUNDLE

Only the writer runs it: files of a bundle with and without it are read alike.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from wisp.atomic import write_bytes_atomic
from wisp.codecs.grain_coding import ROUTED, UNIFORM
from wisp.errors import UsageError, WispError
from wisp.runtime import ANALYSIS_NAME, CONFIG_NAME, SEARCH_NAME, Bundle
from wisp.train.export import write_config
from wisp.train.search_onnx import search_onnx


def add_search(folder: Path) -> int:
    """Write the search of the bundle in `folder`, and return its size in bytes.

    Raises:
        UsageError: its regions have no depths of their own, or it has its analysis network from another bundle.
        ModelError: the bundle cannot be used, or its analysis network was built otherwise.
    """
    bundle = Bundle(folder)
    config = bundle.config
    if config.latent or config.grain in (UNIFORM, ROUTED):
        raise UsageError(
            f"expected a model with a depth for each region, found {config.name}, whose tokens have one way to be found"
        )
    if ANALYSIS_NAME in config.shared_with:
        raise UsageError(
            f"expected a bundle with an analysis network of its own, found {folder}, which has that of "
            f"{config.shared_with[ANALYSIS_NAME]}"
        )
    data = search_onnx(bundle.content(ANALYSIS_NAME), config.groups)
    write_bytes_atomic(folder / SEARCH_NAME, data)
    write_config(folder, json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8")))
    return len(data)


def main(arguments: list[str]) -> None:
    """Add it, and say so; or say why not."""
    try:
        (folder,) = (Path(argument) for argument in arguments)
        size = add_search(folder)
    except (ValueError, OSError, WispError) as fault:
        sys.exit(f"expected the folder of a bundle: {fault}")
    print(f"{folder}: {SEARCH_NAME} of {size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
