"""Conversion of a body from the charset that the server names to UTF-8 for regular expressions.

Only the charsets listed here are decoded: other codecs of Python decompress, execute escapes or take quadratic time,
and each unknown name that is looked up stays in memory.
"""

from __future__ import annotations

import codecs
import re
from encodings.aliases import aliases
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 16 * 1024
"""Bytes decoded at a time: 7 ms in the worst case, where each byte is an error."""
CHARSETS = frozenset(
    (
        *("utf_8", "utf_16_le", "utf_16_be", "utf_32_le", "utf_32_be"),
        *(f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
        *(f"cp125{page}" for page in range(9)),
        *(
            "latin_1",
            "cp437",
            "cp850",
            "cp852",
            "cp866",
            "cp874",
            "koi8_r",
            "koi8_u",
            "mac_roman",
            "mac_cyrillic",
        ),
        *("tis_620", "gbk", "gb18030", "hz", "big5", "big5hkscs", "euc_kr", "cp949"),
        *("shift_jis", "cp932", "euc_jp", "iso2022_jp", "iso2022_kr"),
    )
)
"""Named as Python's codec modules."""
AS_BROWSERS = {
    "ascii": "cp1252",
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "gb2312": "gbk",
    "utf_16": "utf_16_le",
    "utf_32": "utf_32_le",
}
"""The charsets that servers really send under these names (WHATWG Encoding Standard)."""
MARKS = (
    (codecs.BOM_UTF8, "utf_8"),
    (codecs.BOM_UTF32_LE, "utf_32_le"),
    (codecs.BOM_UTF32_BE, "utf_32_be"),
    (codecs.BOM_UTF16_LE, "utf_16_le"),
    (codecs.BOM_UTF16_BE, "utf_16_be"),
)
"""Byte order marks; they take precedence over the charset that the server names."""

_NOT_OVER_ASCII = {codec for codec in CHARSETS if codec.startswith(("utf_16", "utf_32", "iso2022", "hz"))}
"""Charsets in which ASCII bytes can be other characters."""

_CHARSET = re.compile(r""";[ \t]*charset[ \t]*=[ \t]*["']?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)


def charset_of(content_type: str, body: bytes) -> tuple[str, int]:
    """Return the codec of a body, and the length of its mark, to skip. An unknown charset counts as UTF-8."""
    for mark, codec in MARKS:
        if body.startswith(mark):
            return codec, len(mark)
    match = _CHARSET.search(content_type)
    if match is None:
        return "utf_8", 0
    name = re.sub("[^a-z0-9]+", "_", match[1].lower()).strip("_")
    name = aliases.get(name, name)
    name = AS_BROWSERS.get(name, name)
    return (name if name in CHARSETS else "utf_8"), 0


def decoded(body: bytes, content_type: str) -> Iterator[bytes]:
    """Yield the text of a body as UTF-8, in pieces; bytes that are not valid in the charset become U+FFFD."""
    codec, skip = charset_of(content_type, body)
    if body.isascii() and codec not in _NOT_OVER_ASCII:
        yield body
        return
    decoder = codecs.getincrementaldecoder(codec)("replace")
    for at in range(skip, len(body), PIECE_BYTES):
        yield decoder.decode(body[at : at + PIECE_BYTES]).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")
