"""Parser of an engine's answers: bounded JSON, with each field checked against the API's type.

An engine, a proxy in front of it, or the labels of a container can send any JSON: a list instead of an object, a number
as a string, `1e400`, nesting that overflows the stack. The result is a value of the right type or an AnswerError.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MAX_VALUES = 300_000
"""Per answer: a Python value takes up to 40 times the bytes of its JSON, for example `{"":0}`."""
MAX_ELEMENT = 4 * 1024 * 1024
"""Characters of one element of a list: a container with all its labels."""
MAX_ID = 128
FIRST_TRY = 64 * 1024
_WHOLE_ENDS = 2**64

_ID = re.compile(rf"[0-9A-Za-z]{{1,{MAX_ID}}}")
_QUOTED = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, also one whose end has not arrived yet."""
_BETWEEN = re.compile(r"[ \t\r\n]*+,?[ \t\r\n]*+")


class AnswerError(ValueError):
    """An answer does not match the API. The text is a clause that continues the request's name, in our own words."""


def decoded(body: bytes | bytearray) -> Any:
    """Return the JSON value in `body`; bytes that are not UTF-8 become U+FFFD.

    Raises:
        AnswerError: it is not JSON, or has too many values.
    """
    text = body.decode("utf-8", "replace")
    _require_few(text)
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise AnswerError("is not JSON") from None


async def elements(parts: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    """Yield each object of a JSON list as it arrives, so that only one of them is held.

    Raises:
        AnswerError: it is not a list of objects, or one of them is too large.
    """
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    text, begun = "", False
    waiting: list[str] = []
    size, wanted = 0, FIRST_TRY
    async for part in parts:
        waiting.append(decode(part))
        size += len(waiting[-1])
        if size < wanted:
            continue
        text, begun, found = _taken("".join((text, *waiting)), begun)
        for one in found:
            yield one
        waiting.clear()
        if len(text) > MAX_ELEMENT:
            raise AnswerError(f"has an element of more than {MAX_ELEMENT} characters")
        # Incomplete text is parsed again only when it has doubled, so the total work stays linear.
        size, wanted = 0, max(FIRST_TRY, len(text))
    text, begun, found = _taken("".join((text, *waiting)), begun)
    for one in found:
        yield one
    if not begun or text.strip() != "]":
        raise AnswerError("is not a list of objects")


def container_id(value: object) -> str:
    """Return the id of a container, which becomes part of paths.

    Raises:
        AnswerError: it is not one.
    """
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    raise AnswerError("has an id that is not one of a container")


def valid(text: str) -> str:
    """Return `text` with lone surrogates, which JSON can hold and UTF-8 cannot, as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def plain(text: str, most: int) -> str:
    """Return `text` on one line, at most `most` characters, with an escape for each one that does not print."""
    line = " ".join(text[: 4 * most].split())
    cut = line if len(line) <= most else f"{line[:most]}…"
    if cut.isprintable():
        return cut
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in cut)


class Part:
    """A JSON object of an answer. A field that is null counts as missing, as in Go."""

    __slots__ = ("_path", "_values")

    def __init__(self, value: object, path: str = "") -> None:
        """Raise AnswerError unless `value` is an object; `path` is its place in the answer."""
        if not isinstance(value, dict):
            raise AnswerError(f"has no object at {path.rstrip('.')}" if path else "is not an object")
        self._values = value
        self._path = path

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def __bool__(self) -> bool:
        return bool(self._values)

    def text(self, key: str) -> str:
        """Return a text; empty if it is missing."""
        value = self._values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self._refuse(key, "a text")
        return valid(value)

    def flag(self, key: str) -> bool:
        """Return true or false; false if it is missing."""
        value = self._values.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            self._refuse(key, "true or false")
        return value

    def whole(self, key: str) -> int | None:
        """Return a whole number that is not negative."""
        value = self._values.get(key)
        if value is None:
            return None
        if type(value) is not int or not 0 <= value < _WHOLE_ENDS:
            self._refuse(key, "a whole number from 0")
        return value

    def signed(self, key: str) -> int | None:
        """Return a whole number."""
        value = self._values.get(key)
        if value is None:
            return None
        if type(value) is not int or not -_WHOLE_ENDS < value < _WHOLE_ENDS:
            self._refuse(key, "a whole number")
        return value

    def part(self, key: str) -> Part:
        """Return an object; an empty one if it is missing."""
        value = self._values.get(key)
        return Part({} if value is None else value, f"{self._path}{key}.")

    def list(self, key: str) -> list[Any]:
        """Return a list; an empty one if it is missing."""
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self._refuse(key, "a list")
        return value

    def parts(self, key: str) -> Iterator[Part]:
        """Yield each object of a list."""
        for value in self.list(key):
            yield Part(value, f"{self._path}{key}[].")

    def named(self, key: str) -> Iterator[tuple[str, Part]]:
        """Yield each name and object of an object of objects. A name comes from the engine or a container."""
        for name, value in self.part(key)._values.items():
            yield valid(name), Part(value, f"{self._path}{key}[].")

    def texts(self, key: str) -> dict[str, str]:
        """Return an object of texts."""
        found = self.part(key)._values
        if not all(isinstance(value, str) for value in found.values()):
            self._refuse(key, "an object of texts")
        return {valid(name): valid(value) for name, value in found.items()}

    def _refuse(self, key: str, what: str) -> NoReturn:
        raise AnswerError(f"has something at {self._path}{key} that is not {what}")


def _taken(text: str, begun: bool) -> tuple[str, bool, list[Any]]:
    """Return the rest of a list's text, True if the list has begun, and the complete objects."""
    _require_few(text)
    at = 0
    if not begun:
        at = len(text) - len(text.lstrip(" \t\r\n"))
        if not text.startswith("[", at):
            if at < len(text):
                raise AnswerError("is not a list of objects")
            return text[at:], False, []
        at += 1
    found: list[Any] = []
    while (next_ := _BETWEEN.match(text, at)) and text.startswith("{", next_.end()):
        try:
            value, at = _DECODER.raw_decode(text, next_.end())
        except (ValueError, RecursionError):
            return text[next_.end() :], True, found
        found.append(value)
    rest = text[at:]
    if rest.strip(" \t\r\n,") not in ("", "]"):
        raise AnswerError("is not a list of objects")
    return rest, True, found


def _require_few(text: str) -> None:
    if _signs(text) > MAX_VALUES and _signs(_QUOTED.sub("", text)) > MAX_VALUES:
        raise AnswerError(f"has more than {MAX_VALUES} values")


def _signs(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
"""A decoder without NaN and Infinity, which Python accepts but JSON does not have."""
