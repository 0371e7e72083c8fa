"""Colours and marks of codecs: one hue a format, one mark a size, told apart without colour too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Hues after M. Okabe and K. Ito, "Color Universal Design" (2008), which most colour-blind people tell apart; each
# is darkened for white ground and lightened for black.
_FORMATS = {
    "wisp": ("#c8361d", "#ff7a59"),
    "avif": ("#0a68ab", "#5db4f0"),
    "webp": ("#0b8461", "#3ecfa4"),
    "jxl": ("#8c4bb8", "#c79bec"),
    "jpeg": ("#a86a00", "#f0b445"),
    "blurhash": ("#7d5a4a", "#c9a08c"),
    "thumbhash": ("#5f6b73", "#aab8c2"),
}
_OTHERS = (("#b0307a", "#f08cc6"), ("#3f4fb5", "#9aa7ff"), ("#6b7a00", "#c3d43c"), ("#007c91", "#4ddcf2"))
_MARKS = {"": "o", "1/2": "s", "1/4": "^", "1/8": "v", "1/16": "D"}
_MIX = {"": 0.0, "1/2": 0.22, "1/4": 0.44, "1/8": 0.55, "1/16": 0.6}


@dataclass(frozen=True)
class SeriesStyle:
    """How one codec is drawn: colours on white and on dark ground as #rrggbb, matplotlib's mark, line width."""

    light: str
    dark: str
    mark: str
    width: float


def _mixed(colour: str, ground: str, share: float) -> str:
    channels = [
        round(int(colour[at : at + 2], 16) * (1 - share) + int(ground[at : at + 2], 16) * share)
        for at in (1, 3, 5)
    ]
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def styles(codecs: Sequence[str]) -> dict[str, SeriesStyle]:
    """A style for each codec; smaller versions of a format are paler and have another mark."""
    found: dict[str, SeriesStyle] = {}
    others: dict[str, tuple[str, str]] = {}
    for codec in codecs:
        base, _, fraction = codec.partition("@")
        if base not in _FORMATS and base not in others:
            others[base] = _OTHERS[len(others) % len(_OTHERS)]
        light, dark = _FORMATS.get(base) or others[base]
        mix = _MIX.get(fraction, 0.3)
        found[codec] = SeriesStyle(
            light=_mixed(light, "#ffffff", mix),
            dark=_mixed(dark, "#14171a", mix * 0.8),
            mark=_MARKS.get(fraction, "P"),
            width=2.6 if base == "wisp" else 1.5,
        )
    return found
