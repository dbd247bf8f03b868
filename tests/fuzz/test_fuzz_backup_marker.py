"""Markers and manifests almost as they are written: read, or the documented error. The same for changed ones."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.backups.authentic import read_manifest
from exporter.backups.manifest import CODE, MANIFEST
from exporter.backups.subjects import BackupsError
from exporter.storage.backup_marker import (
    MarkerError,
    begin_drill,
    begin_run,
    end_drill,
    end_run,
    parse_marker,
)
from tests.backups.test_manifest import GOOD, KEY, TRUST
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


@settings(derandomize=True, deadline=None, max_examples=100)
@given(mutated(GOOD))
def test_a_manifest(told: object) -> None:
    """Check manifests that were made with the right key, too: refused, or free of anything harmful."""
    text = text_of(told)
    with tempfile.TemporaryDirectory() as name, suppress(BackupsError):
        folder = Path(name)
        (folder / MANIFEST).write_bytes(text)
        (folder / CODE).write_text(KEY.seal(text))
        manifest = read_manifest(folder, TRUST)
        assert all((folder / file.path).parent.parent == folder for file in manifest.files)
        texts = [manifest.id, manifest.project, manifest.environment, manifest.exporter]
        texts += [text for saved in manifest.subjects for text in (saved.name, *saved.facts.values())]
        texts += [text for file in manifest.files for text in (file.path, file.content, file.sha256)]
        assert all(text.isprintable() and len(text) <= 1000 for text in texts)
        assert not any("\0" in file.object for file in manifest.files)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.binary(max_size=400), st.binary(max_size=120))
def test_a_manifest_of_any_bytes(text: bytes, code: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / MANIFEST).write_bytes(text)
        (folder / CODE).write_bytes(code)
        with pytest.raises(BackupsError):
            read_manifest(folder, TRUST)
