"""A peer whose package is missing says so when it is made; CompressAI's adapter on a stand-in of its zoo."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from peer_pictures import photo
from PIL import Image

from wisp.bench.catalogue import codec_named
from wisp.bench.codec import CodecUnavailable, Encoded, Unreachable
from wisp.bench.peers.compressai_file import CompressaiFile, pack, unpack
from wisp.bench.peers.package import open_package
from wisp.errors import UsageError

torch = pytest.importorskip("torch")

NEEDS = [
    ("jxl", "pillow_jxl", "pillow-jxl-plugin"),
    ("jxl@1/2", "pillow_jxl", "pillow-jxl-plugin"),
    ("blurhash", "blurhash", "blurhash"),
    ("thumbhash", "thumbhash", "thumbhash-rs"),
    ("compressai:bmshj2018-hyperprior", "compressai.zoo", "compressai"),
]


@pytest.mark.parametrize(("name", "module", "package"), NEEDS)
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CodecUnavailable) as refusal:
        codec_named(name)
    message = str(refusal.value)
    assert message.startswith(f"{name.partition('@')[0]}: expected the package {package}, found ")
    assert message.endswith(f"; pip install {package}")
    assert "\n" not in message
    assert isinstance(refusal.value, UsageError)


@pytest.mark.parametrize("name", ["avif", "avif@1/4", "webp", "jpeg"])
def test_a_pillow_without_a_format_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("PIL.features.check", lambda feature: False)
    base = name.partition("@")[0]
    with pytest.raises(CodecUnavailable, match=f"^{base}: expected a Pillow that can write it, found one"):
        codec_named(name)


@pytest.mark.parametrize("fault", [ImportError, OSError, RuntimeError])
def test_a_broken_package_is_unavailable(monkeypatch: pytest.MonkeyPatch, fault: type[Exception]) -> None:
    def fail(name: str) -> None:
        raise fault("an operator\n  is missing")

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(CodecUnavailable, match="found an operator is missing; pip install it") as refusal:
        open_package("codec", "module", "it")
    assert isinstance(refusal.value.__cause__, fault)


def test_a_package_states_its_version() -> None:
    opened = open_package("codec", "numpy", "numpy")
    assert opened.module is np
    assert opened.label == f"numpy {np.__version__}"
    assert open_package("codec", "numpy", "no-such-distribution").label.endswith("of unknown version")


@given(
    quality=st.integers(1, 255),
    numbers=st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=4),
    strings=st.lists(st.binary(max_size=300), min_size=1, max_size=5),
)
def test_a_compressai_file_comes_back(quality: int, numbers: list[int], strings: list[bytes]) -> None:
    file = CompressaiFile(quality, (numbers[0], numbers[1]), (numbers[2], numbers[3]), tuple(strings))
    data = pack(file)
    assert unpack(data) == file
    assert len(data) == 18 + 4 * (len(strings) - 1) + sum(map(len, strings))


class Network:
    """Codes pixels 8 x 8 apart, with `quality` bits each, as two strings of one picture."""

    def __init__(self, quality: int) -> None:
        self.quality = quality
        self.calls: list[str] = []

    def eval(self) -> None:
        self.calls.append("eval")

    def update(self) -> None:
        self.calls.append("update")

    def compress(self, x_unit: Any) -> dict[str, Any]:
        assert self.calls == ["eval", "update"]
        assert x_unit.shape[:2] == (1, 3)
        assert x_unit.shape[2] % 64 == x_unit.shape[3] % 64 == 0
        assert 0 <= float(x_unit.min()) <= float(x_unit.max()) <= 1
        levels = 2**self.quality - 1
        tokens = (x_unit[0, :, ::8, ::8] * levels).round().to(torch.uint8).numpy()
        filler = bytes(40 * self.quality)  # better models make larger files
        return {"strings": [[tokens.tobytes()], [filler]], "shape": torch.Size(tokens.shape[1:])}

    def decompress(self, strings: list[list[bytes]], shape: tuple[int, int]) -> dict[str, Any]:
        assert strings[1] == [bytes(40 * self.quality)]
        tokens = np.frombuffer(strings[0][0], np.uint8).reshape(3, *shape).astype(np.float32)
        small = torch.from_numpy(tokens)[None] / (2**self.quality - 1)
        return {"x_hat": small.repeat_interleave(8, 2).repeat_interleave(8, 3) * 1.2 - 0.1}


def zoo(monkeypatch: pytest.MonkeyPatch, build: Callable[..., Any]) -> None:
    models = {"toy": build, "toy-vbr": build}
    monkeypatch.setitem(sys.modules, "compressai", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "compressai.zoo", SimpleNamespace(image_models=models))


def toy(quality: int, metric: str, pretrained: bool, progress: bool) -> Network:
    assert (metric, pretrained, progress) == ("mse", True, False)
    if quality > 6:
        raise ValueError(f"no quality {quality}")
    return Network(quality)


def test_compressai_counts_the_header_and_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    zoo(monkeypatch, toy)
    codec = codec_named("compressai:toy")
    assert codec.name == "compressai:toy"
    assert codec.version.startswith("compressai ")
    assert "quality 1..6" in codec.version
    image = photo(100, 68)  # padded to 128 x 128: 3 x 16 x 16 tokens
    for quality in range(1, 7):
        num_bytes = 18 + 4 + 3 * 16 * 16 + 40 * quality
        for budget in (num_bytes, num_bytes + 39):
            found = codec.fit(image, budget)
            assert isinstance(found, Encoded)
            assert (found.data_num_bytes, found.setting) == (num_bytes, f"quality={quality}")
            assert found.decoded.size == (100, 68)
    assert codec.fit(image, 829) == Unreachable(smallest_num_bytes=830)
    assert codec.fit(image, 10**6).decoded.getpixel((8, 8)) == pytest.approx(  # type: ignore[union-attr]
        tuple(min(255, max(0, 1.2 * value - 25.5)) for value in image.getpixel((8, 8))), abs=3
    )


def test_compressai_pads_with_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    class Watcher(Network):
        def compress(self, x_unit: Any) -> dict[str, Any]:
            seen.append(x_unit)
            return super().compress(x_unit)

    zoo(monkeypatch, lambda quality, **_: Watcher(quality))
    image = Image.new("RGB", (3, 65), (10, 20, 30))
    image.putpixel((2, 64), (200, 100, 50))
    codec_named("compressai:toy").fit(image, 10**6)
    assert seen[0].shape == (1, 3, 128, 64)
    corner, rest = (seen[0][0, :, 64:, 2:] * 255).round(), (seen[0][0, :, :64] * 255).round()
    for channel, (edge, inner) in enumerate(zip((200, 100, 50), (10, 20, 30), strict=True)):
        assert corner[channel].unique().tolist() == [edge]
        assert rest[channel].unique().tolist() == [inner]


@pytest.mark.parametrize("name", ["compressai:toy-vbr", "compressai:nothing"])
def test_compressai_names_its_zoo(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    zoo(monkeypatch, toy)
    with pytest.raises(UsageError, match=f"--codecs: expected compressai: with toy after it, found '{name}'"):
        codec_named(name)


@pytest.mark.parametrize("fault", [OSError("<urlopen error\nno route>"), RuntimeError("invalid hash value")])
def test_compressai_without_weights_is_unavailable(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def build(quality: int, **_: Any) -> Network:
        if quality == 3:
            raise fault
        return Network(quality)

    zoo(monkeypatch, build)
    with pytest.raises(
        CodecUnavailable, match="compressai:toy: expected CompressAI's weights for quality 3"
    ) as no:
        codec_named("compressai:toy")
    assert "\n" not in str(no.value)
    assert " ".join(str(fault).split()) in str(no.value)


def test_compressai_without_any_quality_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(**_: Any) -> Network:
        raise ValueError("no quality")

    zoo(monkeypatch, build)
    with pytest.raises(CodecUnavailable, match="expected weights for mse, found none"):
        codec_named("compressai:toy")
