"""Training on tokens that the prior drew."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_bundle import tiny_recipe
from torch import Tensor

from wisp.errors import UsageError
from wisp.runtime import Bundle
from wisp.train.adversary import Drawn
from wisp.train.drawn_tokens import DrawnTokens, drawn_tokens
from wisp.train.export import write_config
from wisp.train.feature_loss import Compared
from wisp.train.from_bundle import network_of_bundle
from wisp.train.pyramid_trainer import PyramidTrainer
from wisp.train.recipe import Recipe, StageConfig
from wisp.train.run_options import RunOptions
from wisp.train.transforms_onnx import synthesis_onnx
from wisp.train.verify import example_picture

STAGE = StageConfig(
    "adversarial",
    1.0,
    feature_weight=1.0,
    adversarial_weight=0.3,
    pixel_critic=True,
    drawn_share=0.5,
    frozen_tokens=True,
)
RECIPE: Recipe = replace(tiny_recipe(), stages=(STAGE,))


def test_sent_tokens_stay_and_the_rest_is_drawn(prior_model: Path) -> None:
    network = network_of_bundle(Bundle(prior_model), RECIPE.model)
    drawn = DrawnTokens(Bundle(prior_model))
    pixels = np.stack([example_picture(64, 96, seed) for seed in range(3)])
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    depth = torch.tensor([[[3, 5, 4], [1, 9, 12]]]).repeat(3, 1, 1)
    torch.manual_seed(0)
    with torch.no_grad():
        levels = network.encode(x)
        filled, deep = drawn.fill(network, levels, depth, 2)
    assert deep.shape == (2, 2, 3)
    assert (deep >= depth[:2]).all()
    assert int(deep.min()) >= 4  # the coarsest level is not whole: it is filled at least
    before = 0
    changed = 0
    for level, made, fold in zip(levels, filled, (1, 2, 4), strict=True):
        sent = depth[:2].repeat_interleave(fold, 1).repeat_interleave(fold, 2)
        for group in range(4):
            here = sent > before + group
            assert torch.equal(made.tokens[..., group][here], level.tokens[:2, ..., group][here])
            changed += int((made.tokens[..., group][~here] != level.tokens[:2, ..., group][~here]).sum())
        before += 4
        assert made.prefixes.shape == level.prefixes[:, :2].shape
        part = (sent - before + 4).clamp(0, 4)[:, None]
        assert torch.allclose(made.straight_through(part), _first(level.straight_through, part), atol=1e-5)
    assert changed > 0
    with torch.no_grad():
        assert torch.isfinite(network.decode(filled, deep)).all()


def _first(straight_through: object, part: Tensor) -> Tensor:
    whole: Tensor = straight_through(torch.cat([part, part[:1]]))  # type: ignore[operator]
    return whole[:2]


def test_training_with_drawn_tokens(
    prior_model: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(example_picture(80, 100)).save(pictures / "0.png")
    options = RunOptions(
        pictures,
        tmp_path / "run",
        1e15,
        weights,
        start=prior_model,
        max_steps=2,
        device="cpu",
        threads=1,
    )
    trainer = PyramidTrainer(RECIPE, options)
    adversary = trainer.objective.adversary
    assert adversary is not None
    seen: list[tuple[Drawn | None, list[Tensor]]] = []
    doubt = adversary.doubt

    def spy(compared: Compared, sent: list[Tensor], drawn: Drawn | None = None) -> Tensor:
        seen.append((drawn, sent))
        return doubt(compared, sent, drawn)

    monkeypatch.setattr(adversary, "doubt", spy)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.train()
    after = trainer.model.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"synthesis"}
    assert len(seen) == 2
    for drawn, sent in seen:
        assert drawn is not None
        assert drawn.pictures.requires_grad
        assert len(drawn.pictures) == len(drawn.features[0]) == 2  # half of the batch
        for theirs, whole in zip(drawn.sent, sent, strict=True):
            assert torch.equal(theirs, whole[:2])  # judged by what was sent


def test_a_resumed_run_needs_its_bundle(prior_model: Path, weights: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(example_picture(80, 100)).save(pictures / "0.png")
    options = RunOptions(
        pictures, tmp_path / "run", 1e15, weights, start=prior_model, max_steps=1, device="cpu", threads=1
    )
    PyramidTrainer(RECIPE, options).train()
    with pytest.raises(UsageError, match="give it with --start again"):
        PyramidTrainer(RECIPE, replace(options, start=None, resume=True))
    other = Path(shutil.copytree(prior_model, tmp_path / "other"))
    network = network_of_bundle(Bundle(prior_model), RECIPE.model)
    network.quantizers[2].codebooks[0, 0, 0] += 1  # type: ignore[union-attr, index]
    (other / "synthesis.onnx").write_bytes(synthesis_onnx(network).SerializeToString())
    write_config(other, json.loads((other / "config.json").read_text()))
    with pytest.raises(UsageError, match="found another"):
        PyramidTrainer(RECIPE, replace(options, start=other, resume=True))
    again = PyramidTrainer(RECIPE, replace(options, resume=True, max_steps=2))
    again.train()
    assert again.progress.total_step == 2


def test_drawn_tokens_need_a_prior_of_these_tokens(prior_model: Path, tiny_model: Path) -> None:
    assert drawn_tokens(tiny_recipe(), None) is None
    assert isinstance(drawn_tokens(RECIPE, Bundle(prior_model)), DrawnTokens)
    with pytest.raises(UsageError, match="starts from a bundle"):
        drawn_tokens(RECIPE, None)
    moving = replace(RECIPE, stages=(replace(STAGE, share=0.5, frozen_tokens=False, drawn_share=0.0), STAGE))
    with pytest.raises(UsageError, match="leaves its tokens"):
        drawn_tokens(moving, Bundle(prior_model))
    with pytest.raises(UsageError, match="run wisp train-prior"):
        drawn_tokens(RECIPE, Bundle(tiny_model))
    wrong = ({"drawn_share": 1.5}, {"frozen_tokens": False}, {"quantized": False})
    for changes in (*wrong, {"adversarial_weight": 0.0, "pixel_critic": False}):
        with pytest.raises(UsageError, match="drawn_share"):
            replace(STAGE, **changes)  # type: ignore[arg-type]
