"""Text armour: fits a post, survives pasting, and names every fault."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisp.container import unwrap_text, wrap_text
from wisp.errors import BitstreamError, Corrupt, NotWisp

INSERTED = " \t\r\n\u00a0\u2003\u3000\u00ad\u200b\u2060\ufeff"


@given(st.binary(max_size=300))
def test_round_trip(data: bytes) -> None:
    text = wrap_text(data)
    assert text.startswith("wisp:")
    assert set(text[5:]) <= set(string.ascii_letters + string.digits)
    assert unwrap_text(text) == data


@given(st.binary(max_size=80), st.data())
def test_inserted_white_space_is_ignored(data: bytes, draw: st.DataObject) -> None:
    characters = list(wrap_text(data))
    for _ in range(draw.draw(st.integers(0, 8))):
        characters.insert(draw.draw(st.integers(0, len(characters))), draw.draw(st.sampled_from(INSERTED)))
    assert unwrap_text("".join(characters)) == data


@given(st.text(max_size=60))
def test_any_text_gives_bytes_or_a_named_error(text: str) -> None:
    for candidate in (text, "wisp:" + text):
        try:
            data = unwrap_text(candidate)
        except BitstreamError:
            continue
        assert unwrap_text(wrap_text(data)) == data


@given(st.text(string.ascii_letters + string.digits, max_size=100))
def test_one_byte_string_has_one_text(digits: str) -> None:
    try:
        data = unwrap_text("wisp:" + digits)
    except Corrupt:
        return
    assert wrap_text(data) == "wisp:" + digits


def test_two_hundred_bytes_fit_a_post() -> None:
    assert len(wrap_text(bytes(200))) == len(wrap_text(b"\xff" * 200)) == 274
    assert len(wrap_text(bytes(204))) == 280


def test_length_does_not_depend_on_content() -> None:
    for num_bytes in range(70):
        assert len(wrap_text(bytes(num_bytes))) == len(wrap_text(b"\xff" * num_bytes))


@pytest.mark.parametrize("prefix", ["wisp:", "Wisp:", "WISP:", " w i\nsp :"])
def test_prefix_in_any_case(prefix: str) -> None:
    assert unwrap_text(prefix + wrap_text(b"light")[5:]) == b"light"


@pytest.mark.parametrize(
    "text", ["", "wis", "wisp", "wisp;00", "00", "xwisp:00", "\u03c9isp:00", "data:wisp:00"]
)
def test_text_without_prefix_is_not_wisp(text: str) -> None:
    with pytest.raises(NotWisp):
        unwrap_text(text)


@pytest.mark.parametrize("character", [*"-_+/=.:<>&\"'`\\*~#@\0", "\u0430", "\uff11", "\u0660", "\U0001f600"])
def test_foreign_character_is_corrupt(character: str) -> None:
    with pytest.raises(Corrupt, match="letters and digits"):
        unwrap_text("wisp:0" + character)


@pytest.mark.parametrize("num_digits", [1, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 47])
def test_impossible_length_is_corrupt(num_digits: int) -> None:
    with pytest.raises(Corrupt, match="possible length"):
        unwrap_text("wisp:" + "0" * num_digits)


@pytest.mark.parametrize("digits", ["48", "zz", "z" * 43, "0" * 43 + "48"])
def test_group_out_of_range_is_corrupt(digits: str) -> None:
    with pytest.raises(Corrupt, match="found more"):
        unwrap_text("wisp:" + digits)
