"""A peer's text as it is shown: short, printable, and without a secret in any spelling."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest

from exporter.peer_text import LOOKED_AT_BYTES, SHOWN_CHARACTERS, PeerText, Secrets, Sentence

SECRET = 'p@s s"w\\ö/é+1%2F€😀'

SPELLINGS = {
    "raw": SECRET,
    "percent": quote(SECRET, safe=""),
    "percent of some": quote(SECRET),
    "percent of all": "".join(f"%{byte:02x}" for byte in SECRET.encode()),
    "percent twice": quote(quote(SECRET)),
    "form": quote_plus(SECRET),
    "lower case": "".join(c.lower() if c.isascii() else c for c in SECRET),
    "UPPER CASE": "".join(c.upper() if c.isascii() else c for c in SECRET),
    "json": json.dumps(SECRET),
    "json in Unicode": json.dumps(SECRET, ensure_ascii=False),
    "json twice": json.dumps(json.dumps(SECRET)),
    "python": ascii(SECRET),
    "python bytes": repr(SECRET.encode()),
    "c octal": "".join(f"\\{byte:03o}" for byte in SECRET.encode()),
    "html": html.escape(SECRET),
    "html numbers": "".join(f"&#{ord(character)};" for character in SECRET),
    "html of json": html.escape(json.dumps(SECRET)),
    "hexadecimal": SECRET.encode().hex(),
    "HEXADECIMAL": SECRET.encode().hex().upper(),
    **{
        f"base64 after {before}": base64.b64encode(b"u" * before + SECRET.encode() + b"end").decode()
        for before in range(4)
    },
    "base64 for URLs": base64.urlsafe_b64encode(b"user:" + SECRET.encode()).decode(),
    "base64, percent": quote(base64.b64encode(SECRET.encode()).decode(), safe=""),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_secret_is_removed_in_every_spelling(spelling: str, as_bytes: bool) -> None:
    said = f"before {SPELLINGS[spelling]} after"
    shown = Secrets([SECRET, "another"]).shown(PeerText(said.encode() if as_bytes else said))
    assert "***" in shown
    left = re.sub(r"before|after|\*\*\*|&quot;|b'|[\\'\" ]", "", shown)
    # Base64 mixes the first and last character of the secret with its surroundings.
    assert len(left) <= (9 if "base64" in spelling else 0), shown


def test_secrets_are_removed_before_the_text_is_cut() -> None:
    said = "x" * (SHOWN_CHARACTERS - 3) + "hunter22" + "y" * 100_000
    assert Secrets(["hunter22"]).shown(PeerText(said)) == repr("x" * (SHOWN_CHARACTERS - 3) + "***…")


@pytest.mark.parametrize(
    ("secrets", "said", "shown"),
    [
        (["abcd", "cdef", "bc"], "-abcdef-", "-***-"),
        (["abcd"], "abcd-", "***-"),
        (["abcd"], "-abcd", "-***"),
        (["abcd"], "abcdabcd", "******"),
        (["abcd", "efgh"], "-abcd-efgh-abcd-", "-***-***-***-"),
        (["aaaaaaaa"], "a" * 9, "***"),
        (["a secret"], "a%20secret+", "***+"),
        (["hunter22"], "aHVudGVyMjI=", "***="),
        (["hunter22"], "ahvudgvymji=", "***="),
        (["hunter22"], "%61HVudGVyMjI=", "***="),
        (["line one\nline\ttwo"], r"-line one\nline\ttwo-", "-***-"),
        (["top\U0010ffffmost"], "-top&#1114111;most-", "-***-"),
        # What is no character: a byte of another encoding, half of a pair, and a number that none has.
        (["caf\udce9"], b"-caf\xe9-", "-***-"),
        (["hunter22"], "\ud800 hunter22", "? ***"),
        (["hunter22"], r"\ud800 hunter22", r"\\ud800 ***"),
        (["hunter22"], "&#1114112; hunt&#9999999;er22", "&#1114112; ***"),
    ],
)
def test_secrets_are_removed_wherever_they_are_and_nothing_else(
    secrets: list[str], said: str | bytes, shown: str
) -> None:
    assert Secrets(secrets).shown(PeerText(said)) == f"'{shown}'"


def test_a_secret_that_is_added_later_is_removed_too() -> None:
    secrets = Secrets(["hunter22"])
    said = PeerText("aHVudGVyMjI= Y29ycmVjdCBob3JzZQ==")
    assert secrets.shown(said) == "'***= Y29ycmVjdCBob3JzZQ=='"
    secrets.add("correct horse")
    assert secrets.shown(said) == "'***=***=='"


@pytest.mark.parametrize(
    ("secrets", "text", "found"),
    [
        ([], "hunter22", False),
        ([""], "hunter22", False),
        (["hunter22"], "hunter2", False),
        (["hunter22"], "say hunter22", True),
        (["hunter22"], "https://x.test/?a=hunt%65r22", True),
        (["hunter22"], "\ud800", False),
        (["hunter22"], "\ud800 hunter22", True),
    ],
)
def test_it_knows_if_a_text_repeats_a_secret(secrets: list[str], text: str, found: bool) -> None:
    assert Secrets(secrets).are_in(text) is found


LONG = "".join(f"{number:04}" for number in range(LOOKED_AT_BYTES // 4))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("x" * SHOWN_CHARACTERS, "x" * SHOWN_CHARACTERS),
        ("x" * (SHOWN_CHARACTERS + 1), "x" * SHOWN_CHARACTERS + "…"),
        (LONG, "***"),
        (LONG + "x", "***…"),
    ],
)
def test_what_is_cut_ends_in_dots(said: str, shown: str) -> None:
    assert Secrets([LONG]).shown(PeerText(said)) == f"'{shown}'"


@pytest.mark.parametrize(
    "said", ["\x1b[31mred", "\x9b31m", "a\nb\r\0", "\u202eabc", "\u2028", "\U000e0001", "\x7f"]
)
def test_characters_that_do_not_print_are_escapes(said: str) -> None:
    assert Secrets().shown(PeerText(said)).isprintable()
    assert Secrets().shown(PeerText(said.encode())).isprintable()


def test_bytes_that_are_no_text() -> None:
    assert Secrets().shown(PeerText(b"a\xff\xfeb")) == "'a\ufffd\ufffdb'"
    assert Secrets().shown(PeerText("a\ud800b")) == "'a?b'"


def test_a_peers_text_cannot_be_formatted_by_mistake() -> None:
    peer = PeerText("hunter22")
    for show in (str, "{}".format, lambda value: f"{value}", lambda value: "%s" % value):  # noqa: UP031 - one way to format
        with pytest.raises(TypeError, match=r"^only Secrets\.shown shows"):
            show(peer)
    assert "hunter22" not in repr(peer)


def test_a_sentence_shows_words_as_they_are_and_a_peers_text_quoted() -> None:
    sentence = Sentence("header {} is {}", "x-{name}", PeerText(b"{} hunter22"))
    assert sentence.shown(Secrets(["hunter22"])) == "header x-{name} is '{} ***'"
    assert Sentence("a pattern like a{2} or {}").shown(Secrets()) == "a pattern like a{2} or {}"
