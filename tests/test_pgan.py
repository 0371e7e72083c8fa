"""The adaptor for pytorch_GAN_zoo's progressive GANs, on toy checkpoints that are written here in the same layout."""

from __future__ import annotations

import hashlib
import math
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import URLError

import pytest
import torch
from torch import Tensor

from wisp.errors import ModelMismatch, ModelNotFound
from wisp.train.generators import pgan_checkpoint
from wisp.train.generators.pgan import PganGenerator, load_pgan
from wisp.train.generators.pgan_checkpoint import find_checkpoint, read_weights

LATENT, WIDTHS = 12, (16, 10, 6)


def toy_tensors(seed: int, module: str = "", widths: tuple[int, ...] = WIDTHS) -> dict[str, Tensor]:
    """A generator's parameters as they are stored: plain normal numbers, the factors left out."""
    random = torch.Generator().manual_seed(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "formatLayer": (16 * widths[0], LATENT),
        "groupScale0.0": (widths[0], widths[0], 3, 3),
    }
    for i, width in enumerate(widths[1:]):
        shapes[f"scaleLayers.{i}.0"] = (width, widths[i], 3, 3)
        shapes[f"scaleLayers.{i}.1"] = (width, width, 3, 3)
    for i, width in enumerate(widths):
        shapes[f"toRGBLayers.{i}"] = (3, width, 1, 1)
    tensors = {}
    for name, shape in shapes.items():
        tensors[f"{name}{module}.weight"] = torch.randn(shape, generator=random)
        tensors[f"{name}{module}.bias"] = torch.randn(shape[0], generator=random)
    return tensors


def plain_forward(tensors: dict[str, Tensor], latent: Tensor, scales: int) -> Tensor:
    """The same network in double precision, layer by layer, every factor where the checkpoint's authors have it."""

    def value(name: str, part: str) -> Tensor:
        return next(
            t for key, t in tensors.items() if key in (f"{name}.{part}", f"{name}.module.{part}")
        ).double()

    def norm(x: Tensor) -> Tensor:
        return x / torch.sqrt((x * x).mean(dim=1, keepdim=True) + 1e-8)

    def leaky(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0.2 * x)

    def conv(x: Tensor, name: str) -> Tensor:
        weight = value(name, "weight")
        side = weight.shape[-1]
        columns = torch.nn.functional.unfold(x, side, padding=side // 2)
        out = weight.flatten(1) @ columns + value(name, "bias")[:, None]
        return out.unflatten(2, x.shape[-2:]) * math.sqrt(2 / weight[0].numel())

    x = norm(latent.double()) @ value("formatLayer", "weight").T + value("formatLayer", "bias")
    x = norm(leaky(x * math.sqrt(2 / latent.shape[1])).reshape(len(latent), -1, 4, 4))
    x = norm(leaky(conv(x, "groupScale0.0")))
    for i in range(scales):
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        for j in range(2):
            x = norm(leaky(conv(x, f"scaleLayers.{i}.{j}")))
    return conv(x, f"toRGBLayers.{scales}")


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An instance of a class that is pickled under the name of theirs; the module is gone when files are read."""
    names = ("models", "models.utils", "models.utils.config")
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    kind = type("BaseConfig", (), {"__module__": names[-1], "__qualname__": "BaseConfig"})
    sys.modules[names[-1]].BaseConfig = kind  # type: ignore[attr-defined]
    found = kind()
    vars(found).update(alpha=0.0, leakyReluLeak=0.2, depthOtherScales=[10, 6], attribKeysOrder=None)
    return found


def save(path: Path, content: Any, legacy: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    for name in ("models.utils.config", "models.utils", "models"):
        sys.modules.pop(name, None)
    return path


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("module", ["", ".module"], ids=["plain", "module"])
def test_pictures_are_those_of_the_definition(tmp_path: Path, config: Any, legacy: bool, module: str) -> None:
    average = toy_tensors(1, module)
    content = {"config": config, "netG": toy_tensors(2, module), "netD": {}, "avgG": average}
    path = save(tmp_path / "toy.pth", content, legacy)
    generator = load_pgan(path)
    assert "models" not in sys.modules
    assert (generator.latent_dim, generator.side, generator.training) == (LATENT, 16, False)
    assert generator.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    latents = torch.randn(3, LATENT, generator=torch.Generator().manual_seed(3))
    wanted = plain_forward(average, latents, 2)
    assert (generator.unbounded(latents).double() - wanted).abs().max() < 1e-4
    assert torch.equal(generator(latents), generator.unbounded(latents).clamp(-1, 1))
    assert generator(latents).shape == (3, 3, 16, 16)
    assert wanted.abs().max() > 1  # so that the cut is seen
    assert (generator.unbounded(7 * latents).double() - wanted).abs().max() < 1e-4  # only direction matters


@pytest.mark.parametrize(("latent_dim", "widths", "side"), [(512, (8,), 4), (3, (8, 8, 4, 2, 2), 64)])
def test_scales_follow_from_widths(latent_dim: int, widths: tuple[int, ...], side: int) -> None:
    generator = PganGenerator(latent_dim, widths)
    assert generator.side == side
    assert generator(torch.randn(2, latent_dim)).shape == (2, 3, side, side)


def test_the_published_shapes_have_the_published_parameters() -> None:
    with torch.device("meta"):
        smaller = PganGenerator(512, (512, 512, 512, 512, 256, 128, 64))
        larger = PganGenerator(512, (512, 512, 512, 512, 256, 128, 64, 32))
    counts = [sum(p.numel() for p in g.parameters()) / 1e6 for g in (smaller, larger)]
    assert (smaller.side, larger.side) == (256, 512)
    assert 23.0 < counts[0] < counts[1] < 23.1


def test_a_latent_can_be_optimised_and_weights_stay(tmp_path: Path) -> None:
    generator = load_pgan(save(tmp_path / "toy.pth", {"avgG": toy_tensors(1)}))
    latents = torch.randn(1, LATENT, requires_grad=True)
    generator.unbounded(latents).square().mean().backward()
    assert latents.grad is not None
    assert latents.grad.abs().max() > 0
    assert not any(p.requires_grad for p in generator.parameters())


def test_the_other_generator_where_there_is_no_average(tmp_path: Path) -> None:
    both = read_weights(save(tmp_path / "both.pth", {"netG": toy_tensors(2), "avgG": toy_tensors(1)}))
    one = read_weights(save(tmp_path / "one.pth", {"netG": toy_tensors(2)}))
    assert (both.averaged, one.averaged) == (True, False)
    assert both.widths == one.widths == WIDTHS
    assert not torch.equal(both.tensors["formatLayer.weight"], one.tensors["formatLayer.weight"])


class Trap:
    """Calls a function when it is unpickled by anything that allows it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for legacy in (False, True):
        path = save(tmp_path / "trap.pth", {"avgG": toy_tensors(1), "config": Trap(mark)}, legacy)
        with pytest.raises(ModelMismatch, match=r"trap\.pth"):
            load_pgan(path)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(ModelMismatch):
        load_pgan(tmp_path / "plain.pth")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "dictionary"),
        ({"netD": {}}, "avgG or netG"),
        ({"avgG": {}}, "formatLayer"),
        ({"avgG": {"formatLayer.weight": 3}}, "tensors"),
        ({"avgG": {**toy_tensors(1), "formatLayer.weight": torch.zeros(5)}}, "formatLayer"),
        ({"avgG": {**toy_tensors(1), "formatLayer.weight": torch.zeros(100, 12)}}, "formatLayer"),
        ({"avgG": {**toy_tensors(1), "groupScale0.0.bias": torch.zeros(3)}}, r"groupScale0\.0\.bias"),
        (
            {"avgG": {**toy_tensors(1), "scaleLayers.1.1.weight": torch.zeros(6, 5, 3, 3)}},
            r"scaleLayers\.1\.1",
        ),
        (
            {"avgG": {**toy_tensors(1), "scaleLayers.3.0.weight": torch.zeros(6, 6, 3, 3)}},
            r"scaleLayers\.2\.0",
        ),
        ({"avgG": {**toy_tensors(1), "toRGBLayers.2.weight": torch.zeros(1, 6, 1, 1)}}, r"toRGBLayers\.2"),
        ({"avgG": {**toy_tensors(1), "labels.weight": torch.zeros(1)}}, "labels"),
        (
            {"avgG": {k: v for k, v in toy_tensors(1).items() if k != "toRGBLayers.2.bias"}},
            r"toRGBLayers\.2\.bias",
        ),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(ModelMismatch, match=said):
        load_pgan(save(tmp_path / "other.pth", content))


def test_other_layers_are_named(tmp_path: Path, config: Any) -> None:
    config.leakyReluLeak = 0.1
    with pytest.raises(ModelMismatch, match="leakyReluLeak"):
        load_pgan(save(tmp_path / "other.pth", {"avgG": toy_tensors(1), "config": config}))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    whole = save(tmp_path / "toy.pth", {"avgG": toy_tensors(1)}).read_bytes()
    for data in (b"", b"no checkpoint", whole[: len(whole) // 2], bytes(500)):
        (tmp_path / "bad.pth").write_bytes(data)
        with pytest.raises(ModelMismatch, match=r"bad\.pth"):
            load_pgan(tmp_path / "bad.pth")


def test_digits_in_the_name_are_compared(tmp_path: Path) -> None:
    path = save(tmp_path / "toy.pth", {"avgG": toy_tensors(1)})
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    assert load_pgan(path.rename(tmp_path / f"toy-{digits}.pth")).side == 16
    wrong = (tmp_path / f"toy-{digits}.pth").rename(tmp_path / "toy-00000000.pth")
    with pytest.raises(ModelMismatch, match="as its name says"):
        load_pgan(wrong)


class TestWhereWeightsAre:
    @pytest.fixture(autouse=True)
    def hub(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
        return tmp_path / "hub" / "checkpoints"

    @pytest.mark.parametrize(
        "fault",
        [URLError("no route"), TimeoutError(), ConnectionError("reset\nby peer")],
        ids=lambda f: type(f).__name__,
    )
    def test_no_network_is_one_sentence(
        self, hub: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise fault

        monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
        for name, file_name in pgan_checkpoint.FILES.items():
            with pytest.raises(ModelNotFound) as found:
                load_pgan(name)
            assert f"put it into {hub}" in str(found.value)
            assert pgan_checkpoint.ADDRESS + file_name in str(found.value)
            assert "\n" not in str(found.value)

    def test_nothing_is_fetched_unasked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("downloads"))
        with pytest.raises(ModelNotFound, match="not downloaded"):
            load_pgan("celebAHQ-512", download=False)
        with pytest.raises(ModelNotFound, match="no file"):
            load_pgan("celebAHQ-1024")

    def test_what_is_there_is_taken(self, hub: Path) -> None:
        hub.mkdir(parents=True)
        path = hub / pgan_checkpoint.FILES["celebAHQ-256"]
        path.touch()
        assert find_checkpoint("celebAHQ-256") == path

    def test_what_is_fetched_must_have_the_digits(self, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fetch(address: str, path: str, hash_prefix: str, progress: bool) -> None:
            assert address.endswith(f"-{hash_prefix}.pth")
            if "s7" in address:
                raise RuntimeError("invalid hash value")
            Path(path).touch()

        monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
        assert find_checkpoint("celebAHQ-256").parent == hub
        with pytest.raises(ModelMismatch, match="another file"):
            find_checkpoint("celebAHQ-512")
