"""Rules of a catalog, checked by promtool."""

from __future__ import annotations

import json
import subprocess
import textwrap
from typing import TYPE_CHECKING, Any

from exporter.catalog.loading import load_catalog
from exporter.outputs.alerts import render
from tests.components import require

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog


def catalog_of(folder: Path, text: str) -> Catalog:
    """Return a catalog of a few lines; the project is `shop`."""
    file = folder / "config.yaml"
    file.write_text("project: shop\n" + textwrap.dedent(text), encoding="utf-8")
    return load_catalog(file)


def written(folder: Path, catalog: Catalog) -> Path:
    """Write the catalog's rules and return their folder."""
    for file in render(catalog):
        place = folder / "rules" / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.text, encoding="utf-8")
    return folder / "rules"


def promtool(*arguments: str | Path) -> str:
    """Run promtool, which must succeed, and return its output."""
    done = subprocess.run([require("promtool"), *arguments], capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-6000:]
    return output


def check_rules(rules: Path) -> None:
    for file in sorted(rules.glob("*.yml")):
        promtool("check", "rules", "--lint=all", "--lint-fatal", file)


def firing(alert: str, **labels: str) -> str:
    """Return the series of a firing alert, as promtool writes it."""
    every = {"alertname": alert, "alertstate": "firing", **labels}
    return f"ALERTS{{{','.join(f'{key}={json.dumps(value)}' for key, value in every.items())}}}"


def hold(
    rules: Path, series: dict[str, str], checks: list[tuple[str, str, list[str]]], *, interval: str = "1m"
) -> None:
    """Check that, with these series, each expression gives exactly these series (of any value) at its time."""
    test: dict[str, Any] = {
        "interval": interval,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f"group without () ({expr})" if not expr.startswith("absent") else expr,
                "eval_time": time,
                "exp_samples": [{"labels": labels.removeprefix("ALERTS"), "value": 1} for labels in expected],
            }
            for time, expr, expected in checks
        ],
    }
    # YAML parsers also read JSON.
    file = rules / "held.json"
    names = [str(path) for path in sorted(rules.glob("*.yml"))]
    file.write_text(json.dumps({"rule_files": names, "evaluation_interval": interval, "tests": [test]}))
    promtool("test", "rules", file)


def alerts(name: str) -> str:
    return f'ALERTS{{alertname="{name}",alertstate="firing"}}'
