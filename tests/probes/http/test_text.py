"""Bodies in charsets other than UTF-8."""

from __future__ import annotations

import codecs
import gzip
import sys
from encodings.aliases import aliases
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import Condition, HttpSpec
from exporter.probes.base import Reason
from exporter.probes.http.text import CHARSETS, charset_of, decoded
from tests.probes.servers import Server, answer, answers

if TYPE_CHECKING:
    from tests.probes.prober import Prober

TEXT = "\u0414\u043e\u0431\u0440\u043e \u043f\u043e\u0436\u0430\u043b\u043e\u0432\u0430\u0442\u044c, fine"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html; charset=windows-1251", TEXT.encode("cp1251")),
        ('text/html; charset="Windows-1251"', TEXT.encode("cp1251")),
        ("text/html;CHARSET=koi8-r;x=y", TEXT.encode("koi8-r")),
        ("text/html; charset=ISO-8859-5", TEXT.encode("iso8859-5")),
        ("text/html; charset=gb2312", TEXT.encode("gb18030")),
        ("text/html; charset=utf-16", codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be")),
        ("text/html; charset=utf-16le", TEXT.encode("utf-16-le")),
        ("text/html; charset=latin1", TEXT.encode("utf-8-sig")),
        ("text/html", codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le")),
        ("text/html", TEXT.encode()),
        ("text/html; charset=no-such", TEXT.encode()),
        ("text/html; charset=", TEXT.encode()),
        ("", TEXT.encode()),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_text_matches(content_type: str, body: bytes, packed: bool, prober: Prober) -> None:
    headers = [f"Content-Type: {content_type}", *(["Content-Encoding: gzip"] if packed else [])]
    reply = answer(gzip.compress(body) if packed else body, *headers)
    with Server(answers(lambda _: reply)) as server:
        result = prober.run(HttpSpec(server.url(), body_conditions=(Condition(f"^{TEXT}$"),)))
        wrong = prober.run(HttpSpec(server.url(), body_conditions=(Condition("fine", present=False),)))
    assert result.success, result
    assert wrong.reason is Reason.BODY


@pytest.mark.parametrize(
    "name",
    ["zlib", "zlib_codec", "base64", "hex", "rot13", "uu", "bz2", "quopri", "idna", "punycode", "unicode_escape",
     "raw_unicode_escape", "utf-7", "undefined", "mbcs", "oem", "os", "..os", "__main__", "x" * 1000, "utf-8\0"],
)  # fmt: skip
def test_what_is_no_charset_of_text_counts_as_utf8(name: str) -> None:
    loaded = set(sys.modules)
    assert charset_of(f"text/html; charset={name}", b"x") == ("utf_8", 0)
    assert set(sys.modules) == loaded


def test_every_charset_decodes() -> None:
    for name in (*CHARSETS, *aliases):
        codec, _ = charset_of(f"text/plain; charset={name}", b"")
        text = b"".join(decoded(bytes(range(256)) * 300, f"text/plain; charset={name}"))
        assert codec in CHARSETS
        text.decode()


def test_characters_that_lie_across_two_pieces() -> None:
    text = "x" + "\u20ac" * 30_000
    assert b"".join(decoded(text.encode(), "")).decode() == text
    assert b"".join(decoded(text.encode("utf-16-be"), "text/plain; charset=utf-16be")).decode() == text
