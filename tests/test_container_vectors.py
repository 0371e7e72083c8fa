"""The frozen vectors in reference/container/: read here, written only by reference/generate_container.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wisp import errors
from wisp.container import (
    Chunk,
    Header,
    header_fields,
    pack_chunks,
    pack_file,
    pack_header,
    token_check,
    unpack_chunks,
    unpack_file,
    unpack_header,
    unwrap_text,
    wrap_text,
)

FOLDER = Path(__file__).parents[1] / "reference" / "container"
Vector = dict[str, Any]


def load(name: str) -> list[Vector]:
    vectors: list[Vector] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert vectors
    return vectors


def chunks_of(vector: Vector) -> tuple[Chunk, ...]:
    return tuple(Chunk(chunk["type"], bytes.fromhex(chunk["data"])) for chunk in vector["chunks"])


@pytest.mark.parametrize("vector", load("headers"), ids=lambda vector: vector["bytes"])
def test_headers(vector: Vector) -> None:
    names = ("model_number", "width", "height", "greyscale", "scale_exponent", "has_chunks")
    header = Header(**{name: vector[name] for name in names})
    data = bytes.fromhex(vector["bytes"])
    assert pack_header(header) == data
    assert unpack_header(data, max_pixels=1 << 48) == (header, len(data))
    assert {value.field.name: value.stored for value in header_fields(header)} == vector["fields"]


@pytest.mark.parametrize("vector", load("chunks"))
def test_chunks(vector: Vector) -> None:
    data = bytes.fromhex(vector["bytes"])
    assert pack_chunks(chunks_of(vector)) == data
    assert unpack_chunks(data, 0) == (chunks_of(vector), len(data))


@pytest.mark.parametrize("vector", load("checks"))
def test_checks(vector: Vector) -> None:
    assert token_check(bytes.fromhex(vector["input"])) == vector["check"]


@pytest.mark.parametrize("vector", load("files"))
def test_files(vector: Vector) -> None:
    data = bytes.fromhex(vector["bytes"])
    file = unpack_file(data)
    assert file.header_bytes == bytes.fromhex(vector["header"])
    assert file.chunks == chunks_of(vector)
    assert file.payload == bytes.fromhex(vector["payload"])
    assert file.check == vector["check"]
    assert pack_file(file.header, file.chunks, file.payload, file.check) == data


@pytest.mark.parametrize("vector", load("armour"))
def test_armour(vector: Vector) -> None:
    data = bytes.fromhex(vector["bytes"])
    assert wrap_text(data) == vector["text"]
    assert unwrap_text(vector["text"]) == data


@pytest.mark.parametrize("vector", load("faults"), ids=lambda vector: vector["name"])
def test_faults(vector: Vector) -> None:
    with pytest.raises(errors.BitstreamError) as caught:
        unpack_file(bytes.fromhex(vector["bytes"]))
    assert type(caught.value).__name__ == vector["error"]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("vector", load("text_faults"), ids=lambda vector: vector["name"])
def test_text_faults(vector: Vector) -> None:
    with pytest.raises(errors.BitstreamError) as caught:
        unwrap_text(vector["text"])
    assert type(caught.value).__name__ == vector["error"]
    assert str(caught.value).isascii()
    assert "\n" not in str(caught.value)
