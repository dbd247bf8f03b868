"""The text of an imported catalog: YAML with comments. Writing never overwrites a file."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.words import printable, quoted
from exporter.imports.project import Place, Source, mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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
    for key, value in catalog.items():
        text = "\n".join(_entry(key, value, (key,), comments, suggested or {}, 0)) + "\n"
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
    temporary = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        with temporary.open("x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, file)  # unlike a rename, this fails if there is one
    except FileExistsError:
        raise mistake(
            "already exists and is never overwritten; choose another file with --out", place
        ) from None
    except OSError as error:
        raise mistake(f"cannot be written: {error.strerror}", place) from None
    finally:
        temporary.unlink(missing_ok=True)


def _entry(
    key: str,
    value: Any,
    path: ModelPath,
    comments: Mapping[ModelPath, str],
    suggested: Mapping[ModelPath, Mapping[str, Any]],
    depth: int,
) -> Iterator[str]:
    indent = "  " * depth
    comment = f"  # {printable(comments[path])}" if path in comments else ""
    name = _scalar(key)
    extra = [f"{indent}  # {flow_line}" for flow_line in _suggestions(suggested.get(path, {}))]
    if depth and not extra and not _has_inner(path, comments, suggested):
        line = f"{indent}{name}: {flow(value, key)}"
        if len(line) <= _WIDTH and (
            depth > 1 or path[0] not in _BLOCKS or not isinstance(value, dict) or not value
        ):
            yield line + comment
            return
    if isinstance(value, dict) and (value or extra):
        yield f"{indent}{name}:{comment}"
        for inner, content in value.items():
            yield from _entry(str(inner), content, (*path, inner), comments, suggested, depth + 1)
        yield from extra
    elif isinstance(value, list) and value and len(f"{indent}{name}: {flow(value, key)}") > _WIDTH:
        yield f"{indent}{name}:{comment}"
        for item in value:
            yield f"{indent}  - {flow(item, '')}"
    else:
        yield f"{indent}{name}: {flow(value, key)}{comment}"


def _has_inner(
    path: ModelPath, comments: Mapping[ModelPath, str], suggested: Mapping[ModelPath, Any]
) -> bool:
    return any(len(other) > len(path) and other[: len(path)] == path for other in (*comments, *suggested))


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


def refuse_existing(file: Path) -> None:
    """Raise SourceError if a file is there, before anything is read."""
    if file.is_symlink() or file.exists():
        raise mistake(
            f"already exists and is never overwritten; choose another file with {quoted('--out FILE')}",
            Place(Source(str(file))),
        )
