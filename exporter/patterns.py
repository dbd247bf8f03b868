"""Regular expressions with RE2: the time of a search grows only with the length of the text.

A backtracking engine can be kept busy for minutes by a peer's text. The syntax is that of Prometheus and
blackbox_exporter: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import re2

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PATTERN_BYTES = 64 * 1024
LONG_TEXT_BYTES = 16 * 1024
"""A longer text is searched in a thread: with an expression of very many states, RE2 takes seconds for a megabyte."""

ADVICE = tuple(
    (re.compile(sign), advice)
    for sign, advice in (
        (
            r"\(\?(?:=|!|<=|<!)",
            "RE2 has no look-around; match the text around it too, or negate the condition",
        ),
        (r"\(\?P$|\\[1-9]|\\k", "RE2 has no back-references; repeat the expression, or use two conditions"),
        (
            r"\(\?>|[*+?}]\+",
            "RE2 has no atomic groups or possessive quantifiers; leave out the > or the second +",
        ),
        (r"\(\?\(", "RE2 has no conditional groups; write the alternatives with |"),
        (r"\(\?#|\(\?[a-zA-Z]*x", "RE2 has no comments and no verbose mode; leave them out"),
        (r"\(\?[a-zA-Z]*[aLu]", r"RE2 has no flags a, L and u; \d, \w and \b are always ASCII"),
        (r"\\Z", r"write \z for the end of the text"),
        (r"\\h", r"write [ \t] for spaces and tabs"),
        (r"\\R", r"write \r?\n for the end of a line"),
        (r"\\[uUN]", r"write a character by its number, such as \x{20AC}"),
        (r"\\[A-Za-z]", "RE2 does not know this escape; see https://github.com/google/re2/wiki/Syntax"),
        (
            r"\{[0-9,]+\}",
            "a repetition can be at most 1000 (nested ones multiplied), with the smaller number first",
        ),
    )
)
"""What to write in place of syntax that RE2 lacks and Python or PCRE have; the first sign in RE2's error counts."""


class PatternError(ValueError):
    """A pattern that RE2 does not accept. The text is a clause that says why and what to write instead."""


class Pattern:
    """A compiled regular expression. With `captures`, `search` can read its groups; without, a search is faster.

    Raises:
        PatternError: RE2 does not accept it.
    """

    __slots__ = ("_regexp", "text")

    def __init__(self, text: str, *, captures: bool = False) -> None:
        self.text = text
        """As written in the catalog."""
        options = re2.Options()
        options.log_errors = False  # the library would write to standard error
        options.never_capture = not captures
        try:
            encoded = text.encode()
        except UnicodeEncodeError:
            raise PatternError("it is not valid Unicode text") from None
        if len(encoded) > MAX_PATTERN_BYTES:
            raise PatternError(f"it is longer than {MAX_PATTERN_BYTES} bytes")
        try:
            self._regexp = re2.compile(encoded, options)
        except re2.error as error:
            raise PatternError(_explained(error.args[0].decode())) from None

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    @property
    def groups(self) -> frozenset[int | str]:
        """Return the numbers and names of its groups; 0 is the whole match. Needs `captures`."""
        names = (name.decode() for name in self._regexp.groupindex)
        return frozenset((*range(self._regexp.groups + 1), *names))

    def found_in(self, text: str | bytes) -> bool:
        """True if some part of `text` matches. Bytes are read as UTF-8; other bytes count as U+FFFD, as in Go."""
        return self._regexp.search(_utf8(text)) is not None

    def found_in_utf8(self, text: bytes | bytearray) -> bool:
        """True if some part of `text`, valid UTF-8, matches. Checking megabytes of it would hold Python's lock."""
        return self._regexp.search(text) is not None

    async def found_soon(self, text: str | bytes) -> bool:
        """True if some part of `text` matches. A long text does not block the loop while it is searched."""
        if len(text) <= LONG_TEXT_BYTES:
            return self.found_in(text)
        return await asyncio.to_thread(self.found_in, text)  # RE2 releases Python's lock

    def search(self, text: str | bytes) -> Mapping[int | str, str] | None:
        """Return the groups of the first match by number and name, empty if unmatched. Needs `captures`."""
        match = self._regexp.search(_utf8(text))
        if match is None:
            return None
        found = {
            number: (match[number] or b"").decode(errors="replace")
            for number in range(self._regexp.groups + 1)
        }
        return {**found, **{name.decode(): found[number] for name, number in self._regexp.groupindex.items()}}


def literal(text: str) -> str:
    """Return the pattern that matches `text` and nothing else."""
    return str(re2.escape(text))


def _utf8(text: str | bytes) -> bytes:
    """Return valid UTF-8: RE2's `.` does not match other bytes, so a match would end at the first of them."""
    if isinstance(text, str):
        return text.encode(errors="replace")
    if text.isascii():
        return text
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="replace").encode()
    return text


def _explained(said: str) -> str:
    # RE2 quotes the part that it rejects, or the whole pattern if something is missing in it.
    if said.startswith(("missing", "unexpected")):
        return said
    advice = next((advice for sign, advice in ADVICE if sign.search(said)), None)
    return f"{said}; {advice}" if advice else said
