"""A `command` or `entrypoint` of one text, split as Compose splits it.

Compose is no shell: it knows quotes and backslashes, and drops everything from the first `;`, `&`, `|`, `<` or `>` on
outside quotes.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_TEXT = 128 * 1024
"""The longest argument that Linux passes to a program."""
_SPACE = frozenset(" \t\r\n")
_ENDS = frozenset(";&|<>")
_PAIRS = {"'": '"(', '"': "'(", "`": "'\"(", "(": "'\"`"}
"""What opens and closes something, and within what it does not."""
_UNBALANCED = "unbalanced quotes or parentheses, which Compose rejects; write the command as a list"


class ShellWordsError(ValueError):
    """A text that Compose refuses. Its text is a sentence without a place."""


@dataclass(frozen=True, slots=True)
class Words:
    """A command as Compose splits it."""

    words: tuple[str, ...]
    dropped: str = ""
    """What Compose ignores: from the first character on that only a shell understands."""


def split_words(text: str) -> Words:
    """Split a text into words.

    Raises:
        ShellWordsError: Compose refuses it.
    """
    if len(text) > MAX_TEXT:
        raise ShellWordsError(f"is longer than {MAX_TEXT // 1024} KiB, and no system runs such a command")
    return _Splitter(text).split()


class _Splitter:
    """Follows the library that Compose uses: it substitutes nothing, but knows where a substitution ends."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[str] = []
        self._word: list[str] = []
        self._begun = False
        """An empty pair of quotes is a word too."""
        self._open = dict.fromkeys(_PAIRS, False)
        """Which quotes, backticks and parentheses are open. They do not nest as in a shell."""

    def split(self) -> Words:
        escaped = False
        for index, char in enumerate(self._text):
            if escaped:
                self._add(char)
                escaped = False
            elif char == "\\" and not self._open["'"]:
                escaped = True
            elif char in _SPACE and not any(self._open.values()):
                self._end_word()
            elif char in _ENDS and not any(self._open.values()):
                return self._cut(index)
            else:
                self._character(char)
        if escaped or any(self._open.values()):
            raise ShellWordsError(_UNBALANCED)
        self._end_word()
        return Words(tuple(self._words))

    def _character(self, char: str) -> None:
        pair = "(" if char == ")" else char
        if pair in _PAIRS and not any(self._open[other] for other in _PAIRS[pair]):
            if char == "(" and (self._open["("] or self._word[-1:] != ["$"]):
                raise ShellWordsError(_UNBALANCED)
            if char in "\"'":
                self._begun = self._begun or self._open[char]
                self._open[char] = not self._open[char]
                return
            self._open[pair] = not self._open[pair]
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
        if self._text[index] == ">" and self._word and self._word[0] in "0123456789":
            self._begun = False
        self._end_word()
        return Words(tuple(self._words), self._text[index:])
