"""Report of `validate` on a catalog, for a person or for a program."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from exporter.catalog.loading import validate_file
from exporter.catalog.reading.problems import MAX_SHOWN, CatalogError

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.loading import Noted, Refused
    from exporter.catalog.reading.problems import Problem


def report(file: Path, refused: Refused, noted: Noted, *, as_json: bool) -> bool:
    """Check the catalog in every environment and print what was found. Return True if it is valid.

    `refused`: finds what the outputs cannot express. `noted`: finds what they leave out.
    """
    try:
        validated = validate_file(file, refused, noted)
    except CatalogError as error:
        if as_json:
            problems = [asdict(problem) for problem in error.problems]
            answer = {"valid": False, "problems": problems[:MAX_SHOWN], "count": len(problems)}
            print(json.dumps(answer, indent=2))
        else:
            count = len(error.problems)
            print(f"{error}\n{count} problem{'s' if count != 1 else ''}", file=sys.stderr)
        return False
    if as_json:
        listed = [asdict(warning) for warning in validated.warnings[:MAX_SHOWN]]
        print(json.dumps({"valid": True, "problems": [], "warnings": listed}, indent=2))
    else:
        print_warnings(validated.warnings)
        print(f"{file} is valid: {_contents(next(iter(validated.catalogs.values())))}")
    return True


def print_warnings(warnings: tuple[Problem, ...]) -> None:
    """Print one line for each on standard error, at most 100."""
    for warning in warnings[:MAX_SHOWN]:
        print(replace(warning, sentence=f"warning: {warning.sentence}"), file=sys.stderr)
    if len(warnings) > MAX_SHOWN:
        print(f"and {len(warnings) - MAX_SHOWN} more warnings", file=sys.stderr)


def _contents(catalog: Catalog) -> str:
    counts = {
        "service": len(catalog.services),
        "store": len(catalog.stores),
        "environment": len(catalog.environments),
    }
    return ", ".join(f"{n} {noun}{'s' if n != 1 else ''}" for noun, n in counts.items() if n)
