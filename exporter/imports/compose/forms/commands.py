"""`command`, `entrypoint` and `healthcheck`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.expressions import braced_spans
from exporter.imports.compose.forms.base import FormError, flag, mapping_of, optional, text_of, texts_of
from exporter.imports.compose.forms.units import seconds
from exporter.imports.compose.shell_words import ShellWordsError, Words, split_words

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_PRIVATE = 0xE000
_LAST_PRIVATE = 0xF8FF
_PRIVATE = re.compile("[\ue000-\uf8ff]")


@dataclass(frozen=True, slots=True)
class Command:
    """A command as Compose gives it to the engine."""

    words: tuple[str, ...]
    """Empty: nothing in place of the image's own."""
    text: str | None = None
    """As written, where it is one text."""
    dropped: str = ""
    """The end of the text that Compose ignores, such as `&& serve`: it is no shell."""


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """A health check; the image's own where there is no `test`."""

    test: tuple[str, ...] = ()
    """Its words after CMD, or the one text after CMD-SHELL."""
    by_shell: bool = False
    """True if a shell runs the text: for CMD-SHELL, and where `test` is a text."""
    disabled: bool | str = False
    interval: str | None = None
    timeout: str | None = None
    start_period: str | None = None
    start_interval: str | None = None
    retries: str | None = None


def command(value: Any) -> Command | None:
    """Return a `command` or `entrypoint`; None for null, which keeps the image's.

    Raises:
        FormError: quotes of a text do not pair up.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        return Command(texts_of(value))
    try:
        found = _outside_variables(value, split_words)
    except ShellWordsError as error:
        raise FormError(str(error)) from None
    return Command(found.words, value, found.dropped)


def healthcheck(value: Any) -> Healthcheck | None:
    """Return a health check; None if there is none.

    Raises:
        FormError: Compose rejects it.
    """
    if value is None:
        return None
    mapping = mapping_of(value)
    words, by_shell, none = _test(mapping.get("test"))
    times = {key: optional(mapping, key) for key in _TIMES}
    for key, text in times.items():
        seconds(text, (key,))
    return Healthcheck(
        words,
        by_shell,
        none or flag(mapping, "disable", False) or False,
        **times,
        retries=optional(mapping, "retries"),
    )


def _test(value: Any) -> tuple[tuple[str, ...], bool, bool]:
    """Return the words, whether a shell runs them, and whether the check is disabled."""
    if value is None:
        return (), False, False
    if isinstance(value, str):
        return (value,), True, False
    words = tuple(text_of(item, ("test", index)) for index, item in enumerate(_list(value)))
    if not words:
        return (), False, False
    first, rest = words[0], words[1:]
    if first not in ("NONE", "CMD", "CMD-SHELL"):
        raise FormError("the list must begin with CMD, CMD-SHELL or NONE", ("test",))
    return (rest, first == "CMD-SHELL", first == "NONE") if first != "NONE" else ((), False, True)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise FormError("must be a text or a list", ("test",))
    return list(value)


def _outside_variables(text: str, split: Callable[[str], Words]) -> Words:
    """Split a text whose `${…}` are one character each, since what they hold is not known."""
    spans = braced_spans(text)
    if not spans or len(spans) > _LAST_PRIVATE - _FIRST_PRIVATE or _PRIVATE.search(text):
        return split(text)
    pieces, start = [], 0
    for index, (begin, end) in enumerate(spans):
        pieces += [text[start:begin], chr(_FIRST_PRIVATE + index)]
        start = end
    found = split("".join([*pieces, text[start:]]))

    def restore(word: str) -> str:
        def written(mark: re.Match[str]) -> str:
            begin, end = spans[ord(mark[0]) - _FIRST_PRIVATE]
            return text[begin:end]

        return _PRIVATE.sub(written, word)

    return Words(tuple(map(restore, found.words)), restore(found.dropped))


_TIMES = ("interval", "timeout", "start_period", "start_interval")
