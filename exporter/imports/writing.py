"""The text of an imported catalog: YAML with comments. Writing never overwrites a file."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.words import printable, quoted
from exporter.imports.project import Place, Source, mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set
    from pathlib import Path

    from exporter.imports.project import ModelPath

_PLAIN = re.compile(
    r"[A-Za-z./_][A-Za-z0-9./_@%+-]*(?::[A-Za-z0-9./_@%+-]+)*|[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d)"
)
_WORDS = frozenset(
    ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "~", ".", "..", ".nan", ".inf"]
)
_SWITCHES = frozenset({"managed", "auth"})
"""Keys that are on or off."""
_BLOCKS = frozenset({"services", "stores", "environments"})
"""Sections whose entries have a line for each key."""
_WIDTH = 100
_EXISTS = f"already exists and is never overwritten; choose another file with {quoted('--out FILE')}"
_OWNERS = """\
# Who is notified. Write an address and remove the signs # in front:
# owners:
#   team: {email: team@example.com}
# defaults: {owner: team}
"""


def catalog_text(
    catalog: Mapping[str, Any],
    comments: Mapping[ModelPath, str],
    head: str,
    suggested: Mapping[ModelPath, Mapping[str, Any]] | None = None,
) -> str:
    """Return a catalog as YAML. `head`: its first lines, which become comments; `suggested`: keys as comments."""
    lines = [f"# {printable(line)}" for line in head.splitlines()]
    pieces = ["\n".join(lines) + "\n"]
    sections: list[tuple[bool, str]] = []
    above = {path[:length] for path in (*comments, *(suggested or {})) for length in range(1, len(path))}
    for key, value in catalog.items():
        text = "\n".join(_entry(key, value, (key,), _Beside(comments, suggested or {}, above), 0)) + "\n"
        sections.append((isinstance(value, dict) and key not in ("observe",), text))
    plain = "".join(text for large, text in sections if not large)
    pieces.append(plain)
    pieces.append(_OWNERS)
    pieces += [text for large, text in sections if large]
    return "\n".join(filter(None, pieces))


def write_new(file: Path, text: str) -> None:
    """Write a file that is not there yet: all of it, or nothing.

    Raises:
        SourceError: there is one, or the folder cannot be written to.
    """
    place = Place(Source(str(file)))
    try:
        temporary = file.with_name(f".{secrets.token_hex(8)}.new")
        _create(temporary, text)
        try:
            os.link(temporary, file)  # unlike a rename, this fails if there is one
        except FileExistsError:
            raise
        except OSError:
            _create(file, text)  # the file system has no links
        finally:
            temporary.unlink()
    except FileExistsError:
        raise mistake(_EXISTS, place) from None
    except (OSError, ValueError) as error:
        raise mistake(f"cannot be written: {_reason(error)}", place) from None


def _create(file: Path, text: str) -> None:
    """Write a new file, and remove it again if not all of it can be written."""
    with file.open("x", encoding="utf-8") as stream:
        try:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        except BaseException:
            file.unlink()
            raise


def refuse_existing(file: Path) -> None:
    """Raise SourceError if a file is there, or can never be, before anything is read."""
    place = Place(Source(str(file)))
    try:
        found = bool(file.lstat())
    except (FileNotFoundError, NotADirectoryError):
        found = False
    except (OSError, ValueError) as error:
        raise mistake(f"cannot be written: {_reason(error)}", place) from None
    if found:
        raise mistake(_EXISTS, place)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "it is no path"


@dataclass(frozen=True, slots=True)
class _Beside:
    """Comments and suggested keys by their paths. `above`: the paths of all that has one inside."""

    comments: Mapping[ModelPath, str]
    suggested: Mapping[ModelPath, Mapping[str, Any]]
    above: Set[ModelPath]


def _entry(
    key: str,
    value: Any,
    path: ModelPath,
    beside: _Beside,
    depth: int,
) -> Iterator[str]:
    indent = "  " * depth
    comment = f"  # {printable(beside.comments[path])}" if path in beside.comments else ""
    name = _scalar(key)
    extra = [f"{indent}  # {flow_line}" for flow_line in _suggestions(beside.suggested.get(path, {}))]
    if depth and not extra and path not in beside.above:
        line = f"{indent}{name}: {flow(value, key)}"
        if len(line) <= _WIDTH and (
            depth > 1 or path[0] not in _BLOCKS or not isinstance(value, dict) or not value
        ):
            yield line + comment
            return
    if isinstance(value, dict) and (value or extra):
        yield f"{indent}{name}:{comment}"
        for inner, content in value.items():
            yield from _entry(str(inner), content, (*path, inner), beside, depth + 1)
        yield from extra
    elif isinstance(value, list) and value and len(f"{indent}{name}: {flow(value, key)}") > _WIDTH:
        yield f"{indent}{name}:{comment}"
        for item in value:
            yield f"{indent}  - {flow(item, '')}"
    else:
        yield f"{indent}{name}: {flow(value, key)}{comment}"


def _suggestions(keys: Mapping[str, Any]) -> Iterator[str]:
    for key, value in keys.items():
        yield f"{_scalar(key)}: {flow(value, key)}"


def flow(value: Any, key: str = "") -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, bool):
        return ("on" if value else "off") if key in _SWITCHES else ("true" if value else "false")
    if value is None:
        return "null"
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{_scalar(str(name))}: {flow(inner, str(name))}" for name, inner in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return _scalar(value) if isinstance(value, str) else str(value)


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not _is_number(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else _escape(char) for char in escaped) + '"'


def _is_number(text: str) -> bool:
    try:
        float(text.replace("_", ""))
    except ValueError:
        return False
    return True


def _escape(char: str) -> str:
    number = ord(char)
    return (
        f"\\x{number:02x}"
        if number < 0x100
        else f"\\u{number:04x}"
        if number < 0x10000
        else f"\\U{number:08x}"
    )
