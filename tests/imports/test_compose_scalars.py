"""The text that a container gets of each scalar, as Compose 2 gives it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from exporter.imports.compose.forms.pairs import pairs
from tests.components import compose_2
from tests.imports.files import read, write

if TYPE_CHECKING:
    from pathlib import Path

SCALARS = r"""
1.10 | 017 | 0o17 | 1_000 | 0b11 | 1000000.0 | 999999.5 | 123456789.5 | 08 | 222:22 | yes | no | on | 1e3 | ~ | null
0x1F | 12345678901234567890123 | 18446744073709551615 | -9223372036854775809 | .5 | +1 | 0.00001 | 0.0001 | True | "017"
-017 | 1. | 1.0 | -0.0 | 0x | 1_0.5 | 1__0 | 123456.7 | 12:30:45 | !!str 017 | !!int "3" | !!binary aGk=
0xFFFFFFFFFFFFFFFFF | !foo bar | 1e400 | 5e-324 | 0o8 | 0b2 | _1 | 1e21 | 100000.0 | -1 | 00 | 0 | 1.5e-7
"null" | 'true' | N | <none> | = | "a\tb" | 'it''s' | 3.8 | 2024-13-45 | 1-2 | .1.2 | 1.2.3 | 0_7
TRUE | tRUE | Null | nULL
"""


def _list() -> dict[str, str]:
    texts = [text.strip() for line in SCALARS.splitlines() for text in line.split(" | ") if text.strip()]
    return {f"V{index}": text for index, text in enumerate(texts)}


def test_a_container_gets_what_compose_gives_it(tmp_path: Path) -> None:
    """Check without variables in the file, so that Compose may resolve it and print the texts."""
    lines = "".join(f"      {name}: {text}\n" for name, text in _list().items())
    folder = write(tmp_path, {"compose.yaml": f"services:\n  a:\n    image: x\n    environment:\n{lines}"})
    command = [compose_2(), "config", "--format", "json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    theirs = json.loads(done.stdout)["services"]["a"]["environment"]
    ours = {pair.name: pair.value for pair in pairs(read(folder).model["services"]["a"]["environment"])}
    written = _list()
    assert {written[name]: value for name, value in ours.items()} == {
        written[name]: value for name, value in theirs.items()
    }


def test_scalars_that_people_expect_as_text_are_text(tmp_path: Path) -> None:
    text = "services: {a: {image: x, restart: no, user: 222:22, ports: [22:22, 80], hostname: 1.10}}"
    service = read(write(tmp_path, {"compose.yaml": text})).model["services"]["a"]
    assert service == {
        "image": "x",
        "restart": "no",
        "user": "222:22",
        "ports": ["22:22", 80],
        "hostname": 1.1,
    }


def test_a_date_without_quotes_is_noted(tmp_path: Path) -> None:
    files = {"compose.yaml": "services: {a: {image: x, labels: {built: 2024-01-02, at: '2024-01-02'}}}"}
    project = read(write(tmp_path, files))
    assert project.model["services"]["a"]["labels"] == {"built": "2024-01-02", "at": "2024-01-02"}
    assert [note.path[-1] for note in project.notes] == ["built"]
