"""Regular expressions: linear in the length of the text, and errors say what to write instead."""

from __future__ import annotations

import asyncio
import threading

import pytest

from exporter.patterns import LONG_TEXT_BYTES, MAX_PATTERN_BYTES, Pattern, PatternError, literal


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("Welcome", "<h1>Welcome</h1>", True),
        ("^ok$", "ok", True),
        ("^ok$", "ok\n", False),
        ("(?i)ÄRGER", "ärger", True),
        ("a.c", b"a\xffc", True),
        ("a.*z", b"a\xff\xfe\x00z", True),
        ("\\x{20AC}", "€".encode(), True),
        (literal("a.b (c) \n é*"), "xx a.b (c) \n é* xx", True),
        (literal("a.b"), "axb", False),
        ("x", "half of a pair: \ud800 x", True),
    ],
)
def test_finds(pattern: str, text: str | bytes, found: bool) -> None:
    assert Pattern(pattern).found_in(text) is found


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("Welcome", b"<h1>Welcome</h1>", True),
        ("^ok$", bytearray(b"ok"), True),
        ("Ä.", "Ä€".encode(), True),
        ("a", b"", False),
    ],
)
def test_finds_in_bytes_that_are_known_to_be_text(pattern: str, text: bytes | bytearray, found: bool) -> None:
    assert Pattern(pattern).found_in_utf8(text) is found


@pytest.mark.parametrize(
    ("size", "in_thread"), [(1, False), (LONG_TEXT_BYTES, False), (LONG_TEXT_BYTES + 1, True), (10**6, True)]
)
@pytest.mark.parametrize("text", ["a", b"a"])
def test_a_long_text_is_searched_in_a_thread(size: int, in_thread: bool, text: str | bytes) -> None:
    threads = []

    class Noting(Pattern):
        def found_in(self, text: str | bytes) -> bool:
            threads.append(threading.current_thread())
            return super().found_in(text)

    assert asyncio.run(Noting("^a+$").found_soon(text * size))
    assert not asyncio.run(Noting("b").found_soon(text * size))
    assert [thread is not threading.main_thread() for thread in threads] == [in_thread, in_thread]


@pytest.mark.parametrize("pattern", [".*Welcome.*", r"^(\w+\s?)*$", "(a|aa)+$", "(a*)*b"])
def test_a_long_line_takes_no_longer_than_its_length(pattern: str) -> None:
    # A backtracking engine would exceed the time limit of the tests.
    assert not Pattern(pattern).found_in(b"a" * 3_000_000 + b"!")


def test_a_group_of_half_a_character() -> None:
    found = Pattern(r"^(\C)", captures=True).search("é")
    assert found is not None
    assert found[1] == "\ufffd"


def test_groups_by_number_and_name() -> None:
    pattern = Pattern(r"(?P<word>\w+)-(\d+)?", captures=True)
    assert pattern.groups == {0, 1, 2, "word"}
    assert pattern.search("say abc-42.") == {0: "abc-42", 1: "abc", 2: "42", "word": "abc"}
    assert pattern.search(b"say abc-.") == {0: "abc-", 1: "abc", 2: "", "word": "abc"}
    assert pattern.search("nothing") is None


def test_without_captures_groups_are_not_kept() -> None:
    pattern = Pattern(r"(\w+)-(\d+)")
    assert pattern.groups == {0}
    assert pattern.search("say abc-42.") == {0: "abc-42"}


def test_it_knows_what_the_catalog_has() -> None:
    pattern = Pattern(r"a\d")
    assert (pattern.text, repr(pattern)) == (r"a\d", r"Pattern('a\\d')")


def test_the_longest_pattern() -> None:
    assert Pattern("ä" * (MAX_PATTERN_BYTES // 2)).text
    with pytest.raises(PatternError, match=r"^it is longer than 65536 bytes$"):
        Pattern("ä" * (MAX_PATTERN_BYTES // 2) + "b")


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        ("(?=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "back-references"),
        ("(?P<n>a)(?P=n)", "back-references"),
        ("a++", "possessive"),
        ("(?>a)", "atomic"),
        ("(?#c)a", "comments"),
        ("(?x) a", "verbose"),
        (r"a\Z", r"write \z"),
        ("\\u20ac", r"\x{20AC}"),
        ("a{1001}", "at most 1000"),
        ("(a{1000}){1000}", "at most 1000"),
        (r"\d{1001}", "at most 1000"),
        (r"(?P<n>\d)(?P=n)", "back-references"),
        (r"\R", r"\r?\n"),
        ("(a", "missing )"),
        ("[z-a]", "z-a"),
        ("*", "repetition operator"),
    ],
)
def test_what_re2_does_not_accept(pattern: str, advice: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern(pattern)
    assert advice in str(caught.value)
    assert capfd.readouterr() == ("", "")  # the library prints nothing


def test_half_of_a_character_is_no_text() -> None:
    with pytest.raises(PatternError, match=r"^it is not valid Unicode text$"):
        Pattern("\ud800")


@pytest.mark.parametrize("pattern", [r"\d+(", r"\d+)", r"[a-z\d", r"\d**", r"(?P<n>\d)[z-a]"])
def test_no_advice_about_what_is_right(pattern: str) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern(pattern)
    assert ";" not in str(caught.value)
