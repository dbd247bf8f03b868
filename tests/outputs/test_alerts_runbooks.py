"""One runbook per alert, with the same sections, and queries that parse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from exporter.catalog.keys.container.alerts import ALERTS
from tests.outputs.promtool import promtool

RUNBOOKS = Path(__file__).parents[2] / "docs/runbooks"
SECTIONS = ["What it means", "How to see it", "What to do", "How to silence it"]


def test_every_alert_has_a_runbook_and_no_runbook_lacks_its_alert() -> None:
    assert {page.stem for page in RUNBOOKS.iterdir()} == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_has_its_sections_and_its_links_lead_somewhere(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    for link in re.findall(r"\]\((.*?)\)", text):
        assert (RUNBOOKS / link).is_file(), link


def test_queries_of_runbooks_parse(tmp_path: Path) -> None:
    queries = [
        line
        for page in sorted(RUNBOOKS.iterdir())
        for block in re.findall(r"```promql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(queries) > len(ALERTS)
    rules = [{"record": f"query:{index}", "expr": query} for index, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", file)
