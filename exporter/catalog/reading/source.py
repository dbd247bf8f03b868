"""The catalog's file: its text, its tree and the requested environment; nothing is checked yet."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.catalog.reading.problems import CatalogError, Problem
from exporter.catalog.reading.yaml_scalars import YamlError
from exporter.catalog.reading.yaml_tree import MAX_BYTES, parse
from exporter.catalog.values.constants import DEFAULT_ENVIRONMENT
from exporter.catalog.values.words import quoted, suggestion
from exporter.files import read_in_time

if TYPE_CHECKING:
    from os import PathLike

    from exporter.catalog.reading.yaml_nodes import Node


@dataclass(frozen=True, slots=True)
class Source:
    """One file. `name` is the path as given, which errors print."""

    name: str
    folder: Path
    root: Node
    duplicate_keys: tuple[Problem, ...]


def open_source(path: str | PathLike[str], environment: str | None) -> tuple[Source, str | None]:
    """Return the file and the name of the environment: the requested one, or the file's first, if any.

    Raises:
        CatalogError: the file cannot be read, is not a YAML mapping, or does not have the environment.
    """
    file = Path(path)
    name = str(path)
    try:
        root, duplicates = parse(read_text(file, name))
    except YamlError as error:
        raise CatalogError([_yaml_problem(name, error)]) from None
    names = environment_names(root)
    if environment is None:
        environment = names[0] if names else None
    elif environment not in (names or [DEFAULT_ENVIRONMENT]):
        known = names or [DEFAULT_ENVIRONMENT]
        sentence = f"unknown environment {quoted(environment)}; {suggestion(environment, known)}"
        raise CatalogError([Problem(name, 0, 0, "environments", sentence)])
    duplicate_keys = tuple(_yaml_problem(name, error) for error in duplicates)
    return Source(name, file.absolute().parent, root, duplicate_keys), environment


def _yaml_problem(name: str, error: YamlError) -> Problem:
    return Problem(name, error.line, error.column, error.path, error.sentence)


def read_text(file: Path, name: str) -> str:
    try:
        raw = read_in_time(file, MAX_BYTES)
    except FileNotFoundError:
        sentence = "there is no such file; name the catalog with --config FILE"
        raise CatalogError([Problem(name, 0, 0, "", sentence)]) from None
    except OSError as error:
        raise CatalogError([Problem(name, 0, 0, "", f"cannot be read: {error.strerror}")]) from None
    if len(raw) > MAX_BYTES:
        raise CatalogError([Problem(name, 0, 0, "", f"is larger than {MAX_BYTES // 1024**2} MiB")])
    if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise CatalogError([Problem(name, 1, 1, "", "is UTF-16; save it as UTF-8")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        raise CatalogError([Problem(name, line, column, "", "is not UTF-8 text")]) from None


def environment_names(root: Node) -> list[str]:
    """Return the names of the environments, in the order of the file."""
    environments = root.value.get("environments") if isinstance(root.value, dict) else None
    return list(environments.value) if environments and isinstance(environments.value, dict) else []
