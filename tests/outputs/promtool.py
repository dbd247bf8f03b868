"""Rules of a catalog, checked by promtool."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from typing import TYPE_CHECKING, Any

import yaml

from exporter.catalog.loading import load_catalog
from exporter.outputs.alerts import render
from tests.components import require

if TYPE_CHECKING:
    from collections.abc import Iterable
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
    needed, file = rules / "needed.json", rules / "held.json"
    needed.write_text(
        json.dumps({"groups": _needed(sorted(rules.glob("*.yml")), [expr for _, expr, _ in checks])})
    )
    file.write_text(
        json.dumps({"rule_files": [str(needed)], "evaluation_interval": interval, "tests": [test]})
    )
    promtool("test", "rules", file)


def run_generated_tests(rules: Path) -> None:
    """Run the tests next to the rules, each with only the rules that it needs; all of them take minutes otherwise."""
    files = []
    for path in sorted(rules.glob("tests/*.yml")):
        document = yaml.safe_load(path.read_text())
        assert document["tests"], path.name
        for number, test in enumerate(document["tests"]):
            asked = [each["expr"] for each in test["promql_expr_test"]]
            needed = path.with_name(f"needed-{path.stem}-{number}.yaml")
            named = [(path.parent / name).resolve() for name in document["rule_files"]]
            needed.write_text(yaml.safe_dump({"groups": _needed(named, asked)}))
            files.append(path.with_name(f"test-{path.stem}-{number}.yaml"))
            files[-1].write_text(yaml.safe_dump({**document, "rule_files": [str(needed)], "tests": [test]}))
    promtool("test", "rules", *files)


def _needed(files: Iterable[Path], expressions: list[str]) -> list[dict[str, Any]]:
    """Return the groups with only the rules that these expressions mention, and the rules that those mention: promtool
    evaluates all of a file in each minute. An expression about alerts of every name needs all rules.
    """
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    if any("ALERTS" in text and "alertname=" not in text for text in expressions):
        return groups
    texts = list(expressions)
    kept: set[str] = set()
    while more := [
        rule
        for group in groups
        for rule in group["rules"]
        if (name := _name(rule)) not in kept and any(_mentions(text, name) for text in texts)
    ]:
        kept |= {_name(rule) for rule in more}
        texts += [rule["expr"] for rule in more]
    return [{**group, "rules": [rule for rule in group["rules"] if _name(rule) in kept]} for group in groups]


def _name(rule: dict[str, str]) -> str:
    return rule.get("alert") or rule["record"]


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w:]){re.escape(name)}(?![\w:])", text) is not None


def alerts(name: str) -> str:
    return f'ALERTS{{alertname="{name}",alertstate="firing"}}'
