"""Writes the reference pages of docs/ from the code, so that they cannot say anything else than it does.

`python -m scripts.reference` writes them; `--check` writes nothing and exits 1 when one of them is not up to date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.main import get_command

from exporter.catalog.catalog import Catalog
from exporter.cli import app
from exporter.metrics.families import OWN_FAMILIES, PROBE_FAMILIES, PROTOCOLS, TARGET_LABELS
from exporter.probes.base import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DOCS = Path(__file__).parent.parent / "docs"
NOTICE = "<!-- Made by `make docs`; do not edit. -->"

COMMANDS_NOTE = (
    "`exporter COMMAND` and `python -m exporter COMMAND` are the same. Results go to standard output, everything "
    "else to standard error. Exit status 0: as asked; 1: the answer is no; 2: wrong usage or catalog."
)

Schema = dict[str, Any]


def main() -> None:
    pages = {"metrics.md": metrics_page(), "catalog.md": catalog_page(), "commands.md": commands_page()}
    stale = [name for name, text in pages.items() if _read(DOCS / name) != text]
    if "--check" not in sys.argv[1:]:
        DOCS.mkdir(exist_ok=True)
        for name in stale:
            (DOCS / name).write_text(pages[name], encoding="utf-8")
    elif stale:
        sys.exit(f"not up to date: {', '.join(f'docs/{name}' for name in stale)}; run make docs")


def metrics_page() -> str:
    """Every family, by what it is of, and the closed list of reasons."""
    labels = ", ".join(f"`{label}`" for label in TARGET_LABELS)
    return _page(
        "# Metrics",
        NOTICE,
        f"Every series of a probe has the labels {labels}; other labels are named. What was not measured has no "
        "sample: it is never 0.",
        "## Probes of every protocol",
        _families(family for family in PROBE_FAMILIES if family.protocols == PROTOCOLS),
        *(
            part
            for protocol in PROTOCOLS
            for part in (
                f"## {protocol.upper()}",
                _families(
                    family
                    for family in PROBE_FAMILIES
                    if protocol in family.protocols and family.protocols != PROTOCOLS
                ),
            )
        ),
        "## Why a probe failed",
        "The values of the label `reason`.",
        _table(("reason", "meaning"), ((f"`{reason}`", meaning) for reason, meaning in MEANINGS.items())),
        "## The exporter itself",
        _families(OWN_FAMILIES),
    )


def catalog_page() -> str:
    """Every mapping of the catalog, the root first, each followed by those that it leads to."""
    root = Catalog.model_json_schema()
    mappings = root.get("$defs", {})
    parts = [
        "# The catalog",
        NOTICE,
        "All keys that a catalog may hold. `exporter schema` prints the same as JSON Schema, for editors.",
    ]
    for name in ["Catalog", *_reached(root, mappings)]:
        schema = root if name == "Catalog" else mappings[name]
        if "properties" in schema:
            parts += [f"## {name}", schema.get("description", ""), _keys(schema, mappings)]
    return _page(*parts)


def commands_page() -> str:
    """Every command with its options."""
    parts = [
        "# Commands",
        NOTICE,
        COMMANDS_NOTE,
    ]
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]  # the app is a group
        parts += [f"## {name}", command.help]
        if command.epilog:
            parts.append(
                "\n".join(f"    {line}" for line in command.epilog.split(":  ", 1)[1].split("  ·  "))
            )
        rows = [
            (
                ", ".join(f"`{option}`" for option in parameter.opts if option.startswith("-"))
                or parameter.metavar,
                f"`{parameter.envvar}`" if getattr(parameter, "envvar", None) else "",
                f"`{parameter.default}`" if parameter.default not in (None, False) else "",
                getattr(parameter, "help", ""),
            )
            for parameter in command.params
        ]
        if rows:
            parts.append(_table(("option", "environment variable", "default", "meaning"), rows))
    return _page(*parts)


def _families(families: Iterable[Any]) -> str:
    rows = []
    for family in families:
        name = family.name
        if family.kind == "counter" and not name.endswith("_total"):
            name += "_total"
        rows.append(
            (f"`{name}`", family.kind, ", ".join(f"`{label}`" for label in family.labels), family.help)
        )
    return _table(("name", "type", "labels", "meaning"), rows)


def _keys(schema: Schema, mappings: dict[str, Schema]) -> str:
    required = schema.get("required", ())
    return _table(
        ("key", "value", "default", "meaning"),
        (
            (
                f"`{key}`",
                _kind(value, key),
                "**required**" if key in required else _default(value),
                _meaning(value, mappings),
            )
            for key, value in schema["properties"].items()
        ),
    )


def _meaning(schema: Schema, mappings: dict[str, Schema]) -> str:
    # pydantic leaves a key's description out where it is the same as that of the mapping it leads to.
    target = mappings.get(schema.get("$ref", "").rsplit("/", 1)[-1], {})
    return str(schema.get("description") or target.get("description", ""))


def _kind(schema: Schema, key: str = "") -> str:
    """What may be written, in words; `key` is whose title pydantic made up."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            kinds = list(dict.fromkeys(_kind(part) for part in schema[union] if part.get("type") != "null"))
            single = " or ".join(kinds[:-1])
            return f"{single}; one, or a list" if kinds[-1] == f"list of {single}" else " or ".join(kinds)
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{choice}`" for choice in schema.get("enum") or [schema["const"]])
    title = schema.get("title", "")
    if title and title != key.replace("_", " ").title():
        return str(title)
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object":
        values = list(schema.get("patternProperties", {}).values()) or [schema.get("additionalProperties")]
        if isinstance(values[0], dict):
            return f"mapping of names to {_kind(values[0])}"
        return "mapping of " + (", ".join(f"`{name}`" for name in schema.get("properties", ())) or "anything")
    words = {"string": "text", "integer": "whole number", "boolean": "`true`, `false`"}
    return " or ".join(str(words.get(one, one)) for one in (kind if isinstance(kind, list) else [kind]))


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value in (None, "", {}, []) or isinstance(value, dict):  # a mapping's defaults stand at its own keys
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _reached(schema: Schema, mappings: dict[str, Schema]) -> list[str]:
    """Names of the mappings that a schema leads to, in the order of reading."""
    names: list[str] = []

    def visit(part: Schema) -> None:
        for name in _references({key: value for key, value in part.items() if key != "$defs"}):
            if name not in names:
                names.append(name)
                visit(mappings[name])

    visit(schema)
    return names


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rsplit("/", 1)[1]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _page(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    main()
