"""The training loop: stages of a recipe, each fitted to its share of a wall-clock budget.

What is trained is a subclass's business: wisp.train.pyramid_trainer for the token pyramid, wisp.train.latent_trainer
for the codecs of continuous latents.
"""

from __future__ import annotations

import json
import math
import time
from abc import ABC, abstractmethod
from copy import deepcopy
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import torch
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from wisp.errors import UsageError
from wisp.train import parallel
from wisp.train.adversary import Adversary
from wisp.train.checkpoint import FILE_NAME, Progress, load_checkpoint, save_checkpoint
from wisp.train.dataset import CropSampler, load_photographs
from wisp.train.environment import environment
from wisp.train.moving_average import update_average
from wisp.train.objective import channels_last
from wisp.train.preview import load_preview
from wisp.train.rate_training import RateTraining
from wisp.train.recipe import AnyRecipe, StageConfig
from wisp.train.run_options import RunOptions
from wisp.train.schedule import learning_rate, parameter_groups

WILD = 8.0  # times the usual length of the gradient: such a step is skipped
BETAS = (0.9, 0.99)  # small batches: a shorter memory of the second moment makes the steps visibly noisier


class Loss(Protocol):
    """What a stage minimises, with what learns beside the model."""

    def __call__(
        self, model: Any, x: Tensor, stage: StageConfig, usual: dict[str, float]
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch (B, 3, S, S) in -1..1, a scalar, and its parts by name."""
        ...

    def companions(self) -> dict[str, RateTraining | Adversary]:
        """What learns beside the model, by its name in a checkpoint."""
        ...


class Trainer(ABC):
    """One run of one recipe. `train()` returns when the minutes are spent."""

    def __init__(self, recipe: AnyRecipe, options: RunOptions) -> None:
        if any(s.feature_weight or s.fine_feature_weight for s in recipe.stages) and options.weights is None:
            raise UsageError(
                "this recipe trains with a feature network: give the folder of its weights with --weights"
            )
        self.recipe, self.options = recipe, options
        if options.threads:
            torch.set_num_threads(options.threads)
        name = options.device
        self.device = torch.device(
            ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
        )
        self.rank = parallel.start(self.device)
        torch.manual_seed(recipe.seed)
        self.model = channels_last(self.new_network().to(self.device))
        parallel.follow_first((*self.model.parameters(), *self.model.buffers()))
        torch.manual_seed(recipe.seed + 1000 * self.rank)  # from here on every process draws its own
        self.average = deepcopy(self.model).requires_grad_(False)
        self.progress = Progress()
        self.objective = self.new_objective()
        pictures = load_photographs(options.data, recipe.data.crop_size, options.image_limit)
        self.sampler = CropSampler(pictures, recipe.data, recipe.seed + 1000 * self.rank, self.device)
        self.preview = load_preview(options.preview, 8) if options.preview and self.rank == 0 else []
        if not options.resume and options.start is None:
            self.look_at_crops()
            parallel.follow_first(self.model.parameters())
            self.average.load_state_dict(self.model.state_dict())
        self._start_optimizer(recipe.stages[0])
        self.progress.environments = [environment()]
        if options.resume:
            self._restore(load_checkpoint(options.run))

    # ---- what is trained ----

    @abstractmethod
    def new_network(self) -> nn.Module:
        """The network at the start, on the CPU; it has a part `synthesis`."""

    @abstractmethod
    def new_objective(self) -> Loss:
        """What the stages minimise."""

    def look_at_crops(self) -> None:
        """Prepare an untrained network by a few batches; nothing if not overridden."""
        return

    def select(self, stage: StageConfig) -> None:
        """Say by requires_grad what learns in a stage; all if not overridden."""
        self.model.requires_grad_(True)

    def ready(self, stage: StageConfig) -> None:
        """Put the model into the modes of a step."""
        self.model.train()

    def own_buffers(self) -> tuple[Tensor, ...]:
        """What a step changes besides parameters, on the first process alone."""
        return ()

    def begin(self, following: StageConfig) -> None:
        """Prepare the model for the next stage; nothing if not overridden."""
        return

    @abstractmethod
    def preview_psnr(self, stage: StageConfig) -> dict[str, float] | None:
        """PSNR in dB of the preview pictures by nominal bpp; None if the stage has nothing to show."""

    # ---- how ----

    @property
    def crops_a_step(self) -> int:
        """Crops that one step sees, all processes together."""
        return self.recipe.data.batch_size * parallel.num_processes()

    def _start_optimizer(self, stage: StageConfig) -> None:
        self.select(stage)
        groups, decay = parameter_groups(self.model, stage), self.recipe.weight_decay
        self.optimizer = torch.optim.AdamW(groups, lr=stage.learning_rate, betas=BETAS, weight_decay=decay)

    def _restore(self, state: dict[str, Any]) -> None:
        self.progress = Progress(**state["progress"])
        is_longer = self.options.minutes * 60 > self.progress.total_seconds
        if is_longer:  # a run that was done goes on in its last stage
            self.progress.stage = min(self.progress.stage, len(self.recipe.stages) - 1)
        if environment() not in self.progress.environments:
            self.progress.environments.append(environment())
        self._start_optimizer(self.recipe.stages[min(self.progress.stage, len(self.recipe.stages) - 1)])
        try:
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            for name, companion in self.objective.companions().items():
                companion.load_state_dict(state["beside"][name])
        except (KeyError, RuntimeError, ValueError) as fault:
            first = str(fault).splitlines()[0]
            raise UsageError(
                f"expected a checkpoint of this recipe in {self.options.run}, found another's ({first}); "
                "resume with the recipe that it began with"
            ) from None
        for group in self.optimizer.param_groups:
            group["betas"] = BETAS
        self.sampler.random.bit_generator.state = state["sampler"]
        torch.set_rng_state(state["torch_rng"])
        if self.rank:
            torch.manual_seed(self.progress.total_step * 64 + self.rank)
            self.sampler.random = np.random.default_rng(self.progress.total_step * 64 + self.rank)

    def save(self, name: str = FILE_NAME) -> None:
        """Write a checkpoint into the run's folder (rank 0 only)."""
        if self.rank:
            return
        save_checkpoint(
            self.options.run,
            name,
            model=self.model,
            average=self.average,
            optimizer=self.optimizer,
            progress=self.progress,
            beside={name: companion.state_dict() for name, companion in self.objective.companions().items()},
            recipe=json.loads(json.dumps(asdict(self.recipe))),
            sampler_state=dict(self.sampler.random.bit_generator.state),
        )

    def step(self, stage: StageConfig, stage_progress: float) -> dict[str, float]:
        """One optimiser step."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(stage, stage_progress) * group.get("share", 1.0)
        x = self.sampler.batch().contiguous(memory_format=torch.channels_last)
        self.ready(stage)
        loss, parts = self.objective(self.model, x, stage, self.progress.usual)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for companion in self.objective.companions().values():
            parts |= companion.step()
        parallel.average_gradients(self.model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        usual_norm = self.progress.usual.get("norm", float(norm))
        if math.isfinite(float(norm)):
            if float(norm) <= WILD * usual_norm:
                self.optimizer.step()
            self.progress.usual["norm"] = 0.98 * usual_norm + 0.02 * min(float(norm), 2 * usual_norm)
        parallel.follow_first(self.own_buffers())
        decay = min(self.recipe.ema_decay, (1 + self.progress.total_step) / (10 + self.progress.total_step))
        update_average(self.average, self.model, decay)
        return {"loss": float(loss.detach()), "norm": float(norm), **parts}

    def train(self) -> None:
        """Run the stages that are left; a checkpoint every few minutes, at each stage's end, and on Ctrl-C."""
        self.options.run.mkdir(parents=True, exist_ok=True)
        writer = SummaryWriter(str(self.options.run / "tensorboard"))
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )
        try:
            with Bar(*columns, refresh_per_second=1) as bar:
                while self.progress.stage < len(self.recipe.stages) and not self._exhausted():
                    stage = self.recipe.stages[self.progress.stage]
                    self._train_stage(stage, self._stage_budget(stage), bar, writer)
        finally:
            self.save()
            writer.close()

    def _stage_budget(self, stage: StageConfig) -> float:
        """Seconds of a stage, all legs together: its share; of the last one, resumed, what is left of the minutes."""
        progress, seconds = self.progress, self.options.minutes * 60
        if progress.stage + 1 < len(self.recipe.stages) or not progress.stage_seconds:
            return seconds * stage.share
        return progress.stage_seconds + max(0.0, seconds - progress.total_seconds)

    def _exhausted(self) -> bool:
        return self.options.max_steps is not None and self.progress.total_step >= self.options.max_steps

    def _train_stage(self, stage: StageConfig, seconds: float, bar: Bar, writer: SummaryWriter) -> None:
        progress, options = self.progress, self.options
        task = bar.add_task(stage.name, total=seconds, note="", completed=int(progress.stage_seconds))
        saved = previewed = logged = time.monotonic()
        sums: dict[str, float] = {}
        count = 0
        while progress.stage_seconds < seconds and not self._exhausted():
            started = time.monotonic()
            for key, value in self.step(stage, progress.stage_seconds / seconds).items():
                sums[key] = sums.get(key, 0.0) + value
            count += 1
            spent = parallel.seconds_of_first(time.monotonic() - started)
            progress.stage_seconds += spent
            progress.total_seconds += spent
            progress.stage_step += 1
            progress.total_step += 1
            bar.update(task, completed=progress.stage_seconds)
            now = time.monotonic()
            if self.rank == 0 and (now - logged > 30 or count >= 500):
                means = {key: value / count for key, value in sums.items()}
                for key, value in means.items():
                    writer.add_scalar(key, value, progress.total_step)
                note = " ".join(f"{k} {v:.4f}" for k, v in means.items())
                bar.console.print(
                    f"{stage.name} step {progress.total_step} {progress.total_seconds / 60:.1f} min "
                    f"{(now - logged) / count:.3f} s/step "
                    f"{self.crops_a_step * count / (now - logged):.0f} crops/s {note}",
                    soft_wrap=True,
                )
                sums, count, logged = {}, 0, now
            if self.preview and now - previewed > options.preview_minutes * 60:
                self._preview(stage, bar)
                previewed = time.monotonic()
            if now - saved > options.save_minutes * 60:
                self.save()
                saved = time.monotonic()
        if progress.stage_seconds >= seconds:
            if self.preview:
                self._preview(stage, bar)
            progress.stage += 1
            if progress.stage < len(self.recipe.stages):
                progress.stage_seconds, progress.stage_step = 0.0, 0
                following = self.recipe.stages[progress.stage]
                self.begin(following)
                self._start_optimizer(following)
            self.save(f"{stage.name}.pt")
        bar.remove_task(task)

    def _preview(self, stage: StageConfig, bar: Bar) -> None:
        psnr = self.preview_psnr(stage)
        if psnr is None:
            return
        self.progress.history.append(
            {
                "stage": stage.name,
                "step": self.progress.total_step,
                "minutes": round(self.progress.total_seconds / 60, 1),
                "psnr_db_at_nominal_bpp": psnr,
            }
        )
        bar.console.print(f"preview {json.dumps(self.progress.history[-1])}", soft_wrap=True)
