"""The reader of Compose files refuses what it cannot use with a sentence, whatever the files hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.catalog.reading.problems import Problem
from exporter.imports.project import SourceError
from tests.fuzz.json_values import STRANGE, mutated
from tests.imports.files import read

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

GOOD: dict[str, Any] = {
    "name": "shop",
    "version": "3.8",
    "include": ["b.yaml", {"path": ["c.yaml"], "project_directory": ".", "env_file": [".env"]}],
    "services": {
        "web": {
            "image": "nginx:${TAG:-1}",
            "command": 'sh -c "run it"',
            "environment": {"A": 1, "B": None},
            "labels": ["a=b"],
            "ports": ["80:80", {"target": 81, "published": "82"}, "${PORT}"],
            "expose": [80],
            "volumes": ["./a:/a:ro", {"type": "volume", "source": "v", "target": "/v"}],
            "tmpfs": ["/run:size=1m"],
            "depends_on": {"db": {"condition": "service_healthy"}},
            "networks": {"n": {"aliases": ["x"]}},
            "extra_hosts": ["a:1.1.1.1"],
            "healthcheck": {"test": ["CMD", "true"], "interval": "1m30s"},
            "build": {"context": ".", "args": {"A": 1}},
            "env_file": ["a.env", {"path": "b.env", "required": False}],
            "secrets": ["s", {"source": "s", "target": "t"}],
            "configs": ["c"],
            "deploy": {
                "resources": {"limits": {"memory": "1g"}, "reservations": {"devices": [{"count": 1}]}}
            },
            "ulimits": {"nofile": {"soft": 1, "hard": 2}},
            "devices": ["/dev/a:/dev/b:r"],
            "gpus": "all",
            "logging": {"driver": "local", "options": {"a": "b"}},
            "extends": {"file": "c.yaml", "service": "base"},
        },
        "db": {"image": "postgres", "extends": "web"},
    },
    "volumes": {"v": {"driver_opts": {"a": "b"}}},
    "networks": {"n": {"ipam": {"config": [{"subnet": "10.0.0.0/8"}]}}},
    "secrets": {"s": {"file": "./s"}},
    "configs": {"c": {"content": "x"}},
    "x-a": 1,
}
OVER = {key: value for key, value in GOOD.items() if key != "include"}
BASES = {"services": {"base": {"image": "x", "ports": ["1:1"]}, "c": {"image": "c"}}}


@given(
    mutated(GOOD),
    mutated(OVER),
    st.one_of(st.just(BASES), mutated(BASES), STRANGE),
)
def test_any_files_are_read_or_refused_with_their_place(
    tmp_path_factory: pytest.TempPathFactory, first: Any, second: Any, other: Any
) -> None:
    folder: Path = tmp_path_factory.mktemp("compose")
    for name, content in (("a", first), ("o", second), ("b", BASES), ("c", other)):
        (folder / f"{name}.yaml").write_text(json.dumps(content))
    problems = refused(folder)
    assert all(problem.sentence and problem.file and str(problem).isprintable() for problem in problems)


def test_the_unchanged_files_are_accepted(tmp_path: Path) -> None:
    for name, content in (("a", GOOD), ("o", OVER), ("b", BASES), ("c", BASES)):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(content))
    assert not refused(tmp_path)


def refused(folder: Path) -> tuple[Problem, ...]:
    """Return what is wrong with the files; nothing if they make a project."""
    try:
        project = read(folder, "a.yaml", "o.yaml")
    except SourceError as error:
        return error.problems or (Problem("", 0, 0, "", ""),)
    assert project.name
    assert all(str(note).isprintable() for note in project.notes)
    return ()
