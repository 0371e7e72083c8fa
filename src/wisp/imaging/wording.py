"""Words for error messages: foreign errors on one line, and what a file that is no picture may be."""

from __future__ import annotations

from typing import Final

_MAX_CHARACTERS: Final = 160

_HEIF: Final = "a HEIF picture, which Pillow reads only with the pillow-heif plugin; convert it to JPEG"

_SIGNATURES: Final = (
    (b"%PDF", 0, "a PDF; export the page as PNG"),
    (b"<svg", 0, "an SVG drawing; export it as PNG"),
    (b"ftyphe", 4, _HEIF),
    (b"ftypmif1", 4, _HEIF),
    (b"\xff\x0a", 0, "a JPEG XL picture; convert it to PNG"),
    (b"\x00\x00\x00\x0cJXL ", 0, "a JPEG XL picture; convert it to PNG"),
    (b"PK\x03\x04", 0, "a ZIP archive; unpack it first"),
    (b"\x1f\x8b", 0, "gzip data; unpack it first"),
)
_WISP: Final = 0xC7  # docs/format.md, 3.1; the next four bits say which of these
_OWN: Final = {
    5: "a wisp file; `wisp decompress` makes a picture of it",
    6: "a wisp packet; `wisp packets --join` makes a picture of it",
    7: "a wisp sequence; `wisp decompress` makes frames of it",
}
_PICTURES: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"RIFF", "WebP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"BM", "BMP"),
)


def one_line(error: BaseException) -> str:
    """An exception's message on one line of at most 160 printable characters; its kind if it has none."""
    text = " ".join(str(error).split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    if len(text) > _MAX_CHARACTERS:
        text = text[: _MAX_CHARACTERS - 1] + "…"
    return text or type(error).__name__


def guess_kind(prefix: bytes) -> str:
    """Describe a file by its first bytes (up to a few hundred), and say what to do with it."""
    if not prefix:
        return "an empty file; check that it was copied completely"
    for signature, offset, description in _SIGNATURES:
        if prefix.startswith(signature, offset):
            return description
    if len(prefix) > 1 and prefix[0] == _WISP and prefix[1] >> 4 in _OWN:
        return _OWN[prefix[1] >> 4]
    for signature, name in _PICTURES:
        if prefix.startswith(signature):
            return f"a {name} whose header is damaged; try another copy"
    if _is_text(prefix):
        return "text; give a JPEG, PNG, WebP, AVIF, TIFF or GIF"
    return "data of an unknown kind; give a JPEG, PNG, WebP, AVIF, TIFF or GIF"


def _is_text(prefix: bytes) -> bool:
    # The last character may be cut in two; three bytes are the most that a cut leaves.
    for cut in range(min(4, len(prefix))):
        try:
            text = prefix[: len(prefix) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return all(character.isprintable() or character.isspace() for character in text)
    return False
