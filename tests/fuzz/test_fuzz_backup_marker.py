"""Markers and manifests nearly as they are written: read, or the documented error; so is a change of one."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings

from exporter.backups.manifest import CHECKSUM, MANIFEST, read_manifest
from exporter.backups.subjects import BackupsError
from exporter.storage.backup_marker import (
    MarkerError,
    begin_drill,
    begin_run,
    end_drill,
    end_run,
    parse_marker,
)
from tests.backups.test_manifest import GOOD
from tests.fuzz.json_values import mutated, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

OUTCOME = {"started": 1.0, "finished": 2.0, "success": True, "error": "", "backup": "b"}
MARKER = {
    "format": 1,
    "name": "db",
    "kind": "store",
    "environment": "production",
    "last_run": OUTCOME,
    "last_success": {"started": 1.0, "finished": 2.0, "size_bytes": 3, "backup": "b", "sha256": "0"},
    "last_drill": OUTCOME,
    "current_run": {"started": 3.0, "time_limit": 60},
    "current_drill": {"started": 3.0, "time_limit": 60},
}


@settings(derandomize=True, deadline=None, max_examples=100)
@given(mutated(MARKER))
def test_a_marker(told: object) -> None:
    text = text_of(told)
    with suppress(MarkerError):
        marker = parse_marker(text, "db")
        marker.run(1e9)
        marker.drill(1e9)
    changes: tuple[Callable[[str], str], ...] = (
        lambda old: begin_run(old, name="db", kind="store", environment="e", now=5.0, time_limit=60),
        lambda old: end_run(old, now=6.0, backup="c", size_bytes=1),
        lambda old: begin_drill(old, now=5.0, time_limit=60),
        lambda old: end_drill(old, now=6.0, backup="c"),
    )
    for change in changes:
        with suppress(MarkerError):
            parse_marker(change(text.decode()))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(mutated(GOOD))
def test_a_manifest(told: object) -> None:
    text = text_of(told)
    with tempfile.TemporaryDirectory() as name, suppress(BackupsError):
        folder = Path(name)
        (folder / MANIFEST).write_bytes(text)
        (folder / CHECKSUM).write_text(hashlib.sha256(text).hexdigest())
        manifest = read_manifest(folder)
        assert all((folder / file.path).resolve().is_relative_to(folder.resolve()) for file in manifest.files)
