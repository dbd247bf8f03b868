"""Rules of a catalog, given to promtool."""

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
    """A catalog of a few lines; the project is `shop`."""
    file = folder / "config.yaml"
    file.write_text("project: shop\n" + textwrap.dedent(text), encoding="utf-8")
    return load_catalog(file)


def written(folder: Path, catalog: Catalog) -> Path:
    """The folder of the catalog's rules."""
    for file in render(catalog):
        place = folder / "rules" / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.text, encoding="utf-8")
    return folder / "rules"


def promtool(*arguments: str | Path) -> str:
    """What promtool says; it must agree."""
    done = subprocess.run([require("promtool"), *arguments], capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-6000:]
    return output


def check_rules(rules: Path) -> None:
    for file in sorted(rules.glob("*.yml")):
        promtool("check", "rules", "--lint=all", "--lint-fatal", file)


def firing(alert: str, **labels: str) -> str:
    """The series of an alert that fires, as promtool writes it."""
    every = {"alertname": alert, "alertstate": "firing", **labels}
    return f"ALERTS{{{','.join(f'{key}={json.dumps(value)}' for key, value in every.items())}}}"


def hold(
    rules: Path, series: dict[str, str], checks: list[tuple[str, str, list[str]]], *, interval: str = "1m"
) -> None:
    """With these series, each expression has exactly these series (of any value) at its time."""
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
    # Every YAML parser reads JSON.
    file = rules / "held.json"
    names = [str(path) for path in sorted(rules.glob("*.yml"))]
    file.write_text(json.dumps({"rule_files": names, "evaluation_interval": interval, "tests": [test]}))
    promtool("test", "rules", file)


def alerts(name: str) -> str:
    return f'ALERTS{{alertname="{name}",alertstate="firing"}}'
