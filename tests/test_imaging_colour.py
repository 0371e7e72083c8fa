"""ICC profiles, built here byte by byte (ICC.1:2001-04, the format's version 2)."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from wisp.imaging import open_picture, to_picture

# Primaries adapted to D50, in columns as XYZ.
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
D50 = (0.9642, 1.0, 0.8249)


def profile_bytes(space: bytes, kind: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s", 0, b"\0" * 4, 0x02400000, kind, space, pcs) + b"\0" * 12 + b"acsp"
    header = header.ljust(68, b"\0") + xyz(*D50)[8:]
    header = header.ljust(128, b"\0")
    whole = header + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def srgb_curve() -> bytes:
    level = np.linspace(0, 1, 1024)
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return b"curv\0\0\0\0" + struct.pack(">I", 1024) + np.rint(linear * 65535).astype(">u2").tobytes()


def rgb_profile(primaries: tuple[tuple[float, float, float], ...], curve: bytes) -> bytes:
    tags = {b"wtpt": xyz(*D50)}
    for name, primary in zip((b"r", b"g", b"b"), primaries, strict=True):
        tags[name + b"XYZ"] = xyz(*primary)
        tags[name + b"TRC"] = curve
    return profile_bytes(b"RGB ", b"mntr", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    return profile_bytes(b"GRAY", b"mntr", b"XYZ ", {b"wtpt": xyz(*D50), b"kTRC": gamma_curve(gamma)})


def cmyk_profile() -> bytes:
    """Inks whose Lab corners are made up, so that no formula could give the same colours by chance.

    An 8-bit lookup table (lut8Type) with two grid points an ink: paper white, black ink black, and all else
    a green that gets darker with every ink.
    """
    grid = b""
    for corner in range(16):
        cyan, magenta, yellow, black = (corner >> shift & 1 for shift in (3, 2, 1, 0))
        inks = cyan + magenta + yellow
        if black:
            grid += bytes([0, 128, 128])
        elif inks == 0:
            grid += bytes([255, 128, 128])
        else:
            grid += bytes([200 - 40 * inks, 128 - 40, 128 + 30])
    identity = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + identity * 4 + grid + identity * 3
    return profile_bytes(b"CMYK", b"prtr", b"Lab ", {b"wtpt": xyz(*D50), b"A2B0": lut})


def with_profile(pixels: np.ndarray, profile: bytes, mode: str | None = None) -> Image.Image:
    image = Image.fromarray(pixels)
    if mode is not None:
        image = image.convert(mode)
    image.info["icc_profile"] = profile
    return image


def some_colours() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (9, 11, 3)).astype(np.uint8)


def to_linear(levels: np.ndarray) -> np.ndarray:
    unit = levels / 255
    return np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)


def to_levels(linear: np.ndarray) -> np.ndarray:
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_linear_profile_is_converted() -> None:
    pixels = some_colours()
    picture = to_picture(with_profile(pixels, rgb_profile(SRGB, gamma_curve(1.0))))
    assert picture.notes == ()
    assert np.abs(picture.pixels_u8 - to_levels(pixels / 255)).max() <= 2


def test_wide_gamut_profile_is_converted() -> None:
    pixels = some_colours()
    picture = to_picture(with_profile(pixels, rgb_profile(DISPLAY_P3, srgb_curve())))
    to_xyz, from_xyz = np.array(DISPLAY_P3).T, np.linalg.inv(np.array(SRGB).T)
    linear = to_linear(pixels) @ to_xyz.T @ from_xyz.T
    inside = ((linear >= 0) & (linear <= 1)).all(axis=-1)
    assert inside.sum() > 20
    assert np.abs(picture.pixels_u8 - to_levels(linear))[inside].max() <= 3
    assert np.abs(picture.pixels_u8.astype(int) - pixels)[inside].max() > 5


@pytest.mark.parametrize("made_by", ["LittleCMS", "hand"])
def test_an_srgb_profile_leaves_every_pixel_alone(made_by: str) -> None:
    profile = (
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        if made_by == "LittleCMS"
        else rgb_profile(SRGB, srgb_curve())
    )
    pixels = some_colours()
    picture = to_picture(with_profile(pixels, profile))
    assert picture.notes == ()
    assert np.array_equal(picture.pixels_u8, pixels)


def test_alpha_and_palette_survive_the_conversion() -> None:
    profile = rgb_profile(SRGB, gamma_curve(1.0))
    image = Image.new("RGBA", (2, 1), (55, 55, 200, 255))
    image.putpixel((1, 0), (55, 55, 200, 0))
    image.info["icc_profile"] = profile
    kept = to_picture(image, alpha="keep")
    assert kept.alpha_u8 is not None
    assert kept.alpha_u8.tolist() == [[255, 0]]
    expected = to_levels(np.array([55, 55, 200]) / 255)
    assert np.abs(kept.pixels_u8 - expected).max() <= 2
    assert to_picture(image).pixels_u8[0, 1].tolist() == [255, 255, 255]
    palette = Image.new("P", (1, 1))
    palette.putpalette([55, 55, 200])
    palette.info["icc_profile"] = profile
    assert np.abs(to_picture(palette).pixels_u8 - expected).max() <= 2


@pytest.mark.parametrize("source", ["grey profile", "colour profile", "grey in colour"])
def test_grey_stays_exactly_grey(source: str) -> None:
    ramp = np.arange(256, dtype=np.uint8)[None, :]
    linear = rgb_profile(SRGB, gamma_curve(1.0))
    image = {
        "grey profile": with_profile(ramp, grey_profile(1.0)),
        "colour profile": with_profile(ramp, linear),
        "grey in colour": with_profile(ramp, linear, "RGB"),
    }[source]
    picture = to_picture(image)
    assert picture.greyscale
    assert picture.notes == ()
    assert np.array_equal(picture.pixels_u8[..., 0], picture.pixels_u8[..., 2])
    assert np.abs(picture.pixels_u8[..., 0] - to_levels(ramp / 255)).max() <= 2


def test_cmyk_profile_is_used() -> None:
    image = Image.new("CMYK", (3, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    image.putpixel((2, 0), (0, 255, 0, 0))  # magenta by any formula, green by this profile
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", icc_profile=cmyk_profile())
    picture = open_picture(buffer.getvalue())
    white, black, green = picture.pixels_u8[0].astype(int)
    assert white.min() >= 253
    assert black.max() <= 2
    assert green[1] > green[0] + 40
    assert green[1] > green[2] + 40
    assert picture.notes == ()


@pytest.mark.parametrize(
    "profile",
    [b"not a profile", b"\0" * 128, rgb_profile(SRGB, gamma_curve(1.0))[:200], cmyk_profile()[:150]],
)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
def test_broken_profile_is_ignored_with_a_note(profile: bytes, mode: str) -> None:
    image = Image.fromarray(some_colours()).convert(mode)
    plain = to_picture(image)
    image.info["icc_profile"] = profile
    picture = to_picture(image)
    assert np.array_equal(picture.pixels_u8, plain.pixels_u8)
    assert "the ICC profile is damaged and was ignored" in picture.notes


def test_profile_for_another_kind_of_picture_is_ignored_with_a_note() -> None:
    for mode, profile, space in (("RGB", cmyk_profile(), "CMYK"), ("RGB", grey_profile(2.2), "GRAY")):
        image = with_profile(some_colours(), profile, mode)
        picture = to_picture(image)
        assert np.array_equal(picture.pixels_u8, some_colours())
        assert picture.notes == (
            f"the ICC profile is for {space}, not for a picture in {mode}, and was ignored",
        )


def test_broken_profile_in_a_file() -> None:
    for format in ("PNG", "JPEG", "WEBP", "TIFF"):
        buffer = io.BytesIO()
        Image.fromarray(some_colours()).save(buffer, format, icc_profile=b"junk" * 50)
        assert open_picture(buffer.getvalue()).notes == ("the ICC profile is damaged and was ignored",)
