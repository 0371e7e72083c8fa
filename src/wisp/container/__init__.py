"""Bytes of a file: header, chunks, check, text armour. docs/format.md is the law; standard library only."""

from __future__ import annotations

from wisp.container.armour import unwrap_text, wrap_text
from wisp.container.checksum import token_check
from wisp.container.chunks import Chunk, ChunkType, pack_chunks, unpack_chunks
from wisp.container.fields import BitField, FieldValue
from wisp.container.file import WispFile, pack_file, read_header, unpack_file
from wisp.container.header import (
    DETAIL_VERSION,
    HUFFMAN_VERSION,
    PRIOR_VERSION,
    TABLES_VERSION,
    Header,
    has_signature,
    header_fields,
    pack_header,
    unpack_header,
)
from wisp.container.limits import CHECK_NUM_BYTES, MAX_PIXELS, check_pixels

__all__ = [
    "CHECK_NUM_BYTES",
    "DETAIL_VERSION",
    "HUFFMAN_VERSION",
    "MAX_PIXELS",
    "PRIOR_VERSION",
    "TABLES_VERSION",
    "BitField",
    "Chunk",
    "ChunkType",
    "FieldValue",
    "Header",
    "WispFile",
    "check_pixels",
    "has_signature",
    "header_fields",
    "pack_chunks",
    "pack_file",
    "pack_header",
    "read_header",
    "token_check",
    "unpack_chunks",
    "unpack_file",
    "unpack_header",
    "unwrap_text",
    "wrap_text",
]
