"""A better synthesis for a model: its tokens, tables and prior stay as they are.

Its forecast and its network of distances stay too, until others are trained.

docs/format.md, section 9: tokens are the contract. A released model's new synthesis takes a new model number, the
recipe's (that it is another is not checked); files of tokens alone differ in that number only. The checkpoint must
therefore have exactly the bundle's analysis network and codebooks, down to the bytes of the exported file.
"""

from __future__ import annotations

import json
from pathlib import Path

from wisp.codecs.registry import refuse_released
from wisp.errors import ModelMismatch
from wisp.runtime.bundle import CONFIG_NAME, Bundle
from wisp.train.card import renew_training
from wisp.train.checkpoint import load_checkpoint
from wisp.train.eighths import analysis_bytes, synthesis_bytes
from wisp.train.export import network_of, write_config
from wisp.train.graph import without_names
from wisp.train.shared_files import refuse_keeper


def replace_synthesis(run: Path, folder: Path, eight_bits: bool = False) -> None:
    """Put a run's synthesis transform into an existing bundle, and tell so in its card; `eight_bits` as ExportOptions.

    Raises:
        UsageError: the number of the run's recipe is a release's.
        ModelMismatch: the run's analysis or codebooks differ from the bundle's.
    """
    refuse_keeper(folder)
    bundle = Bundle(folder)
    state = load_checkpoint(run)
    refuse_released(state["recipe"]["model_number"])
    network = network_of(state)
    stored = without_names(bundle.content("analysis.onnx"))
    if stored not in (without_names(analysis_bytes(network, eight)) for eight in (False, True)):
        raise ModelMismatch(
            f"expected the analysis of {folder} in {run}, found another; export a bundle of its own"
        )
    card = bundle.content("card.md").decode()
    config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    old, new = config["model_number"], state["recipe"]["model_number"]
    card = renew_training(card.replace(f"Model number {old}.", f"Model number {new}.", 1), state)
    graph = synthesis_bytes(network, eight_bits)
    (folder / "synthesis.onnx").write_bytes(graph)
    (folder / "card.md").write_text(card, encoding="utf-8")
    config["model_number"] = new
    config.pop("noise", None)
    if network.config.noise:
        config["noise"] = True
    write_config(folder, config)
