"""Parsers of containers' answers, by type. Their errors never repeat the answer."""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING

from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterable

ANSWER_BYTES = 64 * 1024
"""Default limit of one answer."""
TEXT_CHARACTERS = 1000
"""Limit of a version, a path or a name."""
_NUMBER = re.compile(rb"[0-9]{1,18}")


def number(answer: bytes, what: str) -> int:
    """Return a non-negative integer. Raises BackupsError."""
    text = answer.strip()
    if not _NUMBER.fullmatch(text):
        raise BackupsError(f"{what} is not a number")
    return int(text)


def text(answer: bytes, what: str) -> str:
    """Return a printable text of one line. Raises BackupsError."""
    try:
        found = answer.decode().strip("\r\n")
    except UnicodeDecodeError:
        raise BackupsError(f"{what} is not a text") from None
    if len(found) > TEXT_CHARACTERS or not all(letter.isprintable() for letter in found):
        raise BackupsError(f"{what} is not a printable text of at most {TEXT_CHARACTERS} characters")
    return found


def folder(answer: bytes, what: str) -> str:
    """Return an absolute path without `..`. Raises BackupsError."""
    path = text(answer, what)
    if not path.startswith("/") or ".." in path.split("/"):
        raise BackupsError(f"{what} is not an absolute path")
    return "/" + posixpath.normpath(path).lstrip("/")


def file_name(answer: bytes, what: str) -> str:
    """Return the name of a file, not a path. Raises BackupsError."""
    name = text(answer, what)
    if not name or "/" in name or name in (".", ".."):
        raise BackupsError(f"{what} is not a file's name")
    return name


def names(answer: bytes, what: str, *, most: int = 10_000) -> tuple[str, ...]:
    """Return names that each end with a zero byte; they can contain anything else. Raises BackupsError."""
    found = answer.decode(errors="surrogateescape").split("\0")
    if found.pop() or len(found) > most or any(len(name) > TEXT_CHARACTERS for name in found):
        raise BackupsError(f"{what} are not a list of at most {most} names")
    return tuple(found)


def rows(lines: Iterable[bytes], what: str, *, words: int) -> list[tuple[tuple[str, ...], int]]:
    """Return the counts of lines such as `["public","orders",6]`: `words` texts and a number. Raises BackupsError."""
    counted = []
    for line in lines:
        try:
            *key, count = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            raise BackupsError(f"{what} were not counted: a line of the answer is not JSON") from None
        if len(key) != words or not all(isinstance(word, str) for word in key):
            raise BackupsError(f"{what} were not counted: a line of the answer has unexpected fields")
        if type(count) is not int or count < 0:
            raise BackupsError(f"{what} were not counted: a line of the answer has no number")
        counted.append((tuple(key), count))
    return counted


def row_line(key: tuple[str, ...], count: int) -> bytes:
    """Return a count as such a line, in the same form as the stores write it."""
    line = json.dumps([*key, count], ensure_ascii=False, separators=(",", ":")) + "\n"
    return line.encode(errors="surrogatepass")
