"""Dashboards: what Grafana needs, what the catalog provides, and any text that a user may have written."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_catalog
from exporter.outputs.dashboards import render
from exporter.outputs.dashboards.uids import BOARDS, MAX_UID, board_uid
from exporter.outputs.registry import OUTPUTS
from tests.outputs.grafana import Json, boards, interpolated, panels, texts, variables

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.outputs.base import Shared

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"
JUDGE = ROOT.parent / "shared" / "grafana" / "check-dashboards"
COLUMNS = 24

ONE_SERVICE = "project: tiny\nservices: {only: {port: 80}}\n"

NASTY_TEXT = (
    "a \"b\" 'c' \\d ü 漢 {{e}} $service $ {service} [[service]] $$ <b>f</b> "
    "| _g_ *h* `i` ~j~\n# k\n1. l &amp; m"
)

NASTY_METRIC = NASTY_TEXT.replace("\n", " ")
"""The name of a metric is a single line."""

NASTY = r"""
project: nasty
description: <text>
grafana: {datasource: <text>}
defaults: {runbooks: "https://wiki.example/$service/[[alert]]/{alert}?q=\"é\"&of={service}"}
services:
  first:
    description: <text>
    port: 80
    depends_on: second
    metrics: {requests: <metric>, durations: <metric>, status_label: code}
    alerts: {HighErrorRate: off}
  second: {description: "|", port: 81, metrics: {requests: "c:requests_total"}}
stores:
  db: {engine: redis, description: <text>}
"""


def yaml_text(text: str) -> str:
    """Return a text in quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def filled(text: str) -> str:
    """Return a catalog with the texts that are hard to write inserted."""
    return text.replace("<text>", yaml_text(NASTY_TEXT)).replace("<metric>", yaml_text(NASTY_METRIC))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write_catalog(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(filled(text), encoding="utf-8")
        return path

    return write_catalog


@pytest.fixture(params=["example", "one service", "nasty"])
def made(request: pytest.FixtureRequest, write: Callable[[str], Path]) -> dict[str, Json]:
    texts_of = {"one service": ONE_SERVICE, "nasty": NASTY}
    return boards(write(texts_of[request.param]) if request.param in texts_of else EXAMPLE)


def test_the_example_has_the_title_people_know() -> None:
    assert boards(EXAMPLE)["overview"]["title"] == "PageForge Infrastructure Dashboard"


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("project: shop", "Shop Exporter"),
        ("project: my-shop", "My Shop Exporter"),
        ("project: my-shop\ntitle: MyShop", "MyShop Exporter"),
    ],
)
def test_a_project_without_a_title_of_its_own_gets_one(
    write: Callable[[str], Path], head: str, title: str
) -> None:
    assert boards(write(f"{head}\nservices: {{}}\n"))["exporter"]["title"] == title


def test_each_dashboard_says_what_grafana_needs(made: dict[str, Json]) -> None:
    assert tuple(made) == BOARDS
    for board in made.values():
        assert board["schemaVersion"] == 42
        assert board["editable"] is False
        assert board["timezone"] == "browser"
        assert board["refresh"]
        assert board["description"]
        assert variables(board)["datasource"]["type"] == "datasource"
        assert {note["name"] for note in board["annotations"]["list"]} >= {"Deployments", "Firing alerts"}
    assert len({board["uid"] for board in made.values()}) == len(BOARDS)


def test_nothing_retired_and_nothing_null(made: dict[str, Json]) -> None:
    def walk(data: object, path: str) -> None:
        if isinstance(data, dict):
            for key, value in data.items():
                is_minus_infinity = data.keys() == {"color", "value"}
                assert value is not None or is_minus_infinity, f"{path}/{key} is null"
                walk(value, f"{path}/{key}")
        elif isinstance(data, list):
            for index, value in enumerate(data):
                walk(value, f"{path}/{index}")

    for name, board in made.items():
        walk(board, name)
        assert (
            not {"rows", "sharedCrosshair", "hideControls", "__inputs", "gnetId", "style", "id"}
            & board.keys()
        )
        for panel in panels(board):
            assert panel["type"] not in {"graph", "singlestat", "table-old"}
            assert not {"span", "editable", "error", "height", "links", "repeat"} & panel.keys()


def test_each_panel_explains_itself(made: dict[str, Json]) -> None:
    for name, board in made.items():
        shown = [panel for panel in panels(board) if panel["type"] != "row"]
        ids = [panel["id"] for panel in panels(board)]
        assert len(set(ids)) == len(ids)
        assert len({panel["title"] for panel in shown}) == len(shown), (
            f"{name} has two panels with the same title"
        )
        for panel in shown:
            assert panel["title"]
            if panel["type"] == "text":
                continue
            defaults = panel["fieldConfig"]["defaults"]
            assert panel["description"].endswith("."), panel["title"]
            assert defaults["unit"], panel["title"]
            assert defaults["noValue"], panel["title"]
            refs = [target["refId"] for target in panel["targets"]]
            assert refs == sorted(set(refs))
            for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
                assert source == {"type": "prometheus", "uid": "${datasource}"}


def test_no_panel_covers_another(made: dict[str, Json]) -> None:
    for name, board in made.items():
        taken: dict[tuple[int, int], str] = {}
        for panel in board["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= COLUMNS
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    assert (x, y) not in taken, f"{name}: {panel['title']} covers {taken[x, y]}"
                    taken[x, y] = panel["title"]
        bottom = max(y for _, y in taken) + 1
        assert {y for _, y in taken} == set(range(bottom)), f"{name} has a gap"


def test_links_lead_to_dashboards_that_exist(made: dict[str, Json]) -> None:
    uids = {board["uid"] for board in made.values()}
    for board in made.values():
        assert len(board["links"]) == len(BOARDS) - 1
        for link in board["links"]:
            assert link["keepTime"]
            assert link["includeVars"] or "${datasource:queryparam}" in link["url"]
        linked = {uid for text in texts(board) for uid in re.findall(r"^/d/([\w-]+)", text)}
        assert linked <= uids
        assert linked >= uids - {board["uid"]}


def test_variables_in_use_exist(made: dict[str, Json]) -> None:
    built_in = re.compile(r"__\w+|\d")
    for name, board in made.items():
        queries = [target["expr"] for panel in panels(board) for target in panel.get("targets", ())]
        queries += [str(variable["query"]) for variable in variables(board).values()]
        used = {used for query in queries for used in re.findall(r"\$\{?(\w+)", query)}
        unknown = {
            variable for variable in used - variables(board).keys() if not built_in.fullmatch(variable)
        }
        assert not unknown, name


def steps(board: Json, title: str) -> list[tuple[str, float | None]]:
    [panel] = [panel for panel in panels(board) if panel["title"] == title]
    return [
        (step["color"], step["value"]) for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    ]


def test_thresholds_are_those_of_the_catalog(write: Callable[[str], Path]) -> None:
    text = """
project: shop
defaults:
  alerts:
    HighErrorRate: {threshold: 2.5%}
    CertificateExpiring: {threshold: 30d}
    HighLatency: off
services: {web: {port: 80}}
"""
    overview = boards(write(text))["overview"]
    assert steps(overview, "5xx ratio") == [("green", None), ("red", 0.025)]
    assert steps(overview, "p95 response time") == [("green", None)]
    days = 86400
    assert steps(overview, "Soonest certificate expiry") == [
        ("red", None),
        ("orange", 3 * days),
        ("green", 30 * days),
    ]
    assert steps(overview, "Slowest services") == [("green", None), ("red", 1)]


@pytest.mark.parametrize("length", [1, 20, 40, 63])
def test_uids_fit_and_differ_between_projects(length: int) -> None:
    one, other = "a" * length, "a" * (length - 1) + "b"
    found = [board_uid(project, board) for project in (one, other) for board in BOARDS]
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", uid) and len(uid) <= MAX_UID for uid in found)


def test_a_text_shows_as_it_was_written(write: Callable[[str], Path]) -> None:
    """Check text through both steps: Grafana replaces variables, then parses Markdown."""
    overview = boards(write(NASTY))["overview"]
    [text] = [panel for panel in panels(overview) if panel["type"] == "text"]
    content = text["options"]["content"]
    assert interpolated(content, {"service": "WRONG"}) == content
    assert not re.search(r"[<>`*\\$\[\]{}\"_]", content.replace("<br>", ""))
    rows = content.splitlines()
    assert [html.unescape(line) for line in rows[0].split("<br>")] == NASTY_TEXT.splitlines()
    [first] = [row for row in rows if row.startswith("| first |")]
    cells = first.split(" | ")
    assert html.unescape(cells[1].replace("<br>", "\n")) == NASTY_TEXT
    assert variables(overview)["datasource"]["current"]["value"] == NASTY_TEXT


def test_an_address_that_a_person_wrote_stays_theirs(write: Callable[[str], Path]) -> None:
    overview = boards(write(NASTY))["overview"]
    [table] = [panel for panel in panels(overview) if panel["title"] == "Firing alerts"]
    [url] = [link["url"] for link in table["fieldConfig"]["defaults"]["links"] if link["title"] == "Runbook"]
    assert url == (
        "https://wiki.example/%24service/%5B%5Balert%5D%5D/${__data.fields.alertname}"
        "?q=%22%C3%A9%22&of=${__data.fields.service}"
    )


def test_the_same_catalog_gives_the_same_bytes() -> None:
    code = (
        "import sys; from exporter.catalog.loading import load_catalog; from exporter.outputs.dashboards import render;"
        "sys.stdout.buffer.write(''.join(f.path + f.text for f in render(load_catalog(sys.argv[1]))).encode())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, str(EXAMPLE)],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for seed, locale in (("0", "C"), ("1", "C.UTF-8"), ("2", "POSIX"))
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 100_000


def split(path: Path, *environments: str) -> Shared:
    [output] = [output for output in OUTPUTS if output.name == "dashboards"]
    catalogs = {name: load_catalog(path, name) for name in environments}
    return output.split(catalogs, {name: list(output.render(catalog)) for name, catalog in catalogs.items()})


def test_environments_share_the_dashboards_that_are_the_same(write: Callable[[str], Path]) -> None:
    every = {f"{name}.json" for name in BOARDS}
    example = split(EXAMPLE, "development", "testing", "staging", "production")
    assert {file.path for file in example.common} == every
    assert not any(example.own.values())
    differing = split(
        write(
            f"{ONE_SERVICE}environments: {{one: {{}}, "
            "two: {defaults: {alerts: {ServiceSlow: {threshold: 9s}}}}}\n"
        ),
        *("one", "two"),
    )
    changed = {"overview.json", "service.json", "stores.json"}
    assert {file.path for file in differing.common} == every - changed
    assert {name: {file.path for file in files} for name, files in differing.own.items()} == {
        "one": changed,
        "two": changed,
    }


def test_files_are_text_for_people_and_git(write: Callable[[str], Path]) -> None:
    for file in render(load_catalog(write(NASTY))):
        assert file.text.endswith("}\n")
        assert "\\u" not in file.text


def test_a_thousand_services_make_no_more_panels(write: Callable[[str], Path]) -> None:
    services = "".join(
        f"  service-{n}: {{port: 80, metrics: /metrics, description: Number {n}, depends_on: [service-{n + 1}]}}\n"
        for n in range(1, 1000)
    )
    path = write(f"project: large\nservices:\n{services}  service-1000: {{port: 80}}\n")
    large, small = boards(path), boards(EXAMPLE)
    for name, board in large.items():
        assert len(list(panels(board))) == len(list(panels(small[name])))
    sizes = [len(file.text.encode()) for file in render(load_catalog(path))]
    assert max(sizes) < 200_000


def test_grafanas_published_schema_and_lint_find_nothing(made: dict[str, Json], tmp_path: Path) -> None:
    if not JUDGE.exists():
        pytest.skip(f"{JUDGE} is not installed; the schema was not checked")
    folder = tmp_path / "dashboards"
    folder.mkdir()
    for name, board in made.items():
        (folder / f"{name}.json").write_text(json.dumps(board))
    done = subprocess.run([sys.executable, str(JUDGE), str(folder)], text=True, capture_output=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
