"""A `command` or `entrypoint` of one text, split as Compose splits it.

Compose is no shell: it knows quotes and backslashes, and drops everything from the first `;`, `&`, `|`, `<` or `>` on
that stands outside of quotes.
"""

from __future__ import annotations

from dataclasses import dataclass

_SPACE = frozenset(" \t\r\n")
_ENDS = frozenset(";&|<>")
_ESCAPES = {"t": "\t", "n": "\n"}
_UNBALANCED = "quotes or parentheses do not pair up; Compose refuses this, so write the command as a list"


class ShellWordsError(ValueError):
    """A text that Compose refuses. Its text is a sentence without a place."""


@dataclass(frozen=True, slots=True)
class Words:
    """What Compose makes of a command."""

    words: tuple[str, ...]
    dropped: str = ""
    """What Compose ignores: from the first character on that only a shell understands."""


def split_words(text: str) -> Words:
    """Split a text into words.

    Raises:
        ShellWordsError: Compose refuses it.
    """
    return _Splitter(text).split()


class _Splitter:
    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[str] = []
        self._word: list[str] = []
        self._begun = False
        """An empty pair of quotes is a word too."""
        self._open = ""
        """The quote, backtick or `(` of `$(` that is open."""

    def split(self) -> Words:
        escaped = False
        for index, char in enumerate(self._text):
            if escaped:
                self._add(_ESCAPES.get(char, char))
                escaped = False
            elif char == "\\" and self._open != "'":
                escaped = True
            elif char in _SPACE and not self._open:
                self._end_word()
            elif char in _ENDS and not self._open:
                return self._cut(index)
            else:
                self._character(char)
        if escaped or self._open:
            raise ShellWordsError(_UNBALANCED)
        self._end_word()
        return Words(tuple(self._words))

    def _character(self, char: str) -> None:
        if char in "\"'" and self._open in ("", "`", char):
            # A quote inside backticks is dropped, as Compose drops it; it does not hide the closing backtick.
            if self._open != "`":
                self._begun = self._begun or self._open == char
                self._open = "" if self._open == char else char
            return
        if char == "`" and self._open in ("", "`"):
            self._open = "" if self._open else "`"
        elif char == "(" and self._open in ("", "("):
            if self._open or self._word[-1:] != ["$"]:
                raise ShellWordsError(_UNBALANCED)
            self._open = "("
        elif char == ")" and self._open in ("", "("):
            if not self._open:
                raise ShellWordsError(_UNBALANCED)
            self._open = ""
        self._add(char)

    def _add(self, char: str) -> None:
        self._word.append(char)
        self._begun = True

    def _end_word(self) -> None:
        if self._begun:
            self._words.append("".join(self._word))
        self._word, self._begun = [], False

    def _cut(self, index: int) -> Words:
        # `2>file`: the number belongs to the redirection.
        if self._text[index] == ">" and self._word and self._word[0].isdigit():
            self._begun = False
        self._end_word()
        return Words(tuple(self._words), self._text[index:])
