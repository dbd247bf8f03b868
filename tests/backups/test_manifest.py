"""What a manifest may say: it comes back from a disk or a bucket that somebody else may have written to."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from exporter.backups.manifest import CHECKSUM, MANIFEST, read_manifest
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from pathlib import Path

FILE = {"path": "db/shop.dump", "content": "database", "object": "shop", "bytes": 3, "sha256": "0" * 64}
GOOD: dict[str, Any] = {
    "format": 1,
    "id": "20240102T150405Z",
    "project": "shop",
    "environment": "production",
    "finished": "2024-01-02T15:04:05Z",
    "exporter": "1.0",
    "encryption": "",
    "subjects": [
        {"name": "db", "kind": "store", "engine": "postgresql", "facts": {"version": "15"}, "files": [FILE]}
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    told = copy.deepcopy(GOOD)
    *steps, last = path.split(".")
    place: Any = told
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    return told


def written(folder: Path, told: object) -> Path:
    text = told if isinstance(told, bytes) else json.dumps(told).encode()
    (folder / MANIFEST).write_bytes(text)
    (folder / CHECKSUM).write_text(hashlib.sha256(text).hexdigest() + "\n")
    return folder


def test_one_that_is_as_it_was_written(tmp_path: Path) -> None:
    manifest = read_manifest(written(tmp_path, GOOD))
    assert [file.path for file in manifest.files] == ["db/shop.dump"]


FILES = "subjects.0.files.0"
BAD: dict[str, object] = {
    "an absolute path": changed(f"{FILES}.path", "/etc/passwd"),
    "a path that leads out": changed(f"{FILES}.path", "db/../../x"),
    "an empty path": changed(f"{FILES}.path", ""),
    "a path with a zero byte": changed(f"{FILES}.path", "db/x\0"),
    "a path that is a number": changed(f"{FILES}.path", 5),
    "a path that is a list": changed(f"{FILES}.path", ["db"]),
    "a size as text": changed(f"{FILES}.bytes", "3"),
    "a size below 0": changed(f"{FILES}.bytes", -1),
    "a size that is true": changed(f"{FILES}.bytes", True),
    "a checksum that is null": changed(f"{FILES}.sha256", None),
    "an unknown key": changed(f"{FILES}.mode", "0777"),
    "a subject that is a path": changed("subjects.0.name", "../db"),
    "a subject that is a folder": changed("subjects.0.name", ".."),
    "facts that are a list": changed("subjects.0.facts", ["15"]),
    "a fact that is a list": changed("subjects.0.facts", {"image": ["x"]}),
    "no files": changed("subjects.0.files", None),
    "subjects that are text": changed("subjects", "db"),
    "an id that is a number": changed("id", 5),
    "another format": changed("format", 2),
    "a list": [GOOD],
    "null": None,
    "a deep nesting": b"[" * 200_000,
    "a number of many digits": b"9" * 5000,
    "no JSON": b"hello",
    "no UTF-8": b'{"format": "\xff"}',
}


@pytest.mark.parametrize("told", BAD.values(), ids=BAD)
def test_one_that_is_not(tmp_path: Path, told: object) -> None:
    with pytest.raises(BackupsError, match="its manifest is not one of format 1"):
        read_manifest(written(tmp_path, told))


def test_one_that_was_altered_or_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BackupsError, match=r"it has no manifest\.json$"):
        read_manifest(tmp_path)
    written(tmp_path, GOOD)
    with (tmp_path / MANIFEST).open("a") as file:
        file.write(" ")
    with pytest.raises(BackupsError, match="its manifest was altered"):
        read_manifest(tmp_path)
    (tmp_path / CHECKSUM).unlink()
    with pytest.raises(BackupsError, match=r"it has no manifest\.json\.sha256"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).unlink()
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(BackupsError, match="its manifest cannot be read: Is a directory"):
        read_manifest(tmp_path)
