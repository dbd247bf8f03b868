"""Limits on manifests, because the disk or bucket they come from may be writable by others.

Each manifest here has a valid authentication code: an attacker may have got the key.
"""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from exporter.backups.authentic import Trust, read_manifest
from exporter.backups.keys import Key
from exporter.backups.manifest import CHECKSUM, CODE, MANIFEST, Manifest, Saved, StoredFile
from exporter.backups.manifest_text import parsed, text_of
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from pathlib import Path

KEY = Key(bytes(range(32)))
TRUST = Trust(KEY)
FILE = {"path": "db/001.dump", "content": "database", "object": "shop", "bytes": 3, "sha256": "0" * 64}
GOOD: dict[str, Any] = {
    "format": 2,
    "id": "20240102T150405Z",
    "project": "shop",
    "environment": "production",
    "finished": "2024-01-02T15:04:05+00:00",
    "exporter": "1.0",
    "encryption": "",
    "subjects": [
        {
            "name": "db",
            "kind": "store",
            "engine": "postgresql",
            "facts": {"version": "15.1 (Debian 15.1-1)", "image": "postgres:15"},
            "files": [FILE],
            "rows": 6,
        }
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    told = copy.deepcopy(GOOD)
    *steps, last = path.split(".")
    place: Any = told
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    place[int(last) if last.isdigit() else last] = value
    return told


def written(folder: Path, told: object, key: Key = KEY) -> Path:
    text = told if isinstance(told, bytes) else json.dumps(told).encode()
    (folder / MANIFEST).write_bytes(text)
    (folder / CODE).write_text(key.seal(text))
    return folder


def test_one_that_is_as_it_was_written(tmp_path: Path) -> None:
    manifest = read_manifest(written(tmp_path, GOOD), TRUST)
    assert [file.path for file in manifest.files] == ["db/001.dump"]
    assert [saved.rows for saved in manifest.subjects] == [6]
    assert parsed(text_of(manifest)) == manifest


SUBJECT = "subjects.0"
FILES = f"{SUBJECT}.files.0"
BAD: dict[str, object] = {
    "an absolute path": changed(f"{FILES}.path", "/etc/passwd"),
    "a path that leads out": changed(f"{FILES}.path", "db/../../x"),
    "a path to its own folder": changed(f"{FILES}.path", "db/."),
    "a path in another subject": changed(f"{FILES}.path", "cache/001.dump"),
    "a path in a folder": changed(f"{FILES}.path", "db/more/001.dump"),
    "a hidden file": changed(f"{FILES}.path", "db/.parts"),
    "a path like an option": changed(f"{FILES}.path", "db/-rf"),
    "a path with a line break": changed(f"{FILES}.path", "db/001.dump\n"),
    "an empty path": changed(f"{FILES}.path", ""),
    "a path with a zero byte": changed(f"{FILES}.path", "db/x\0"),
    "a path that is a number": changed(f"{FILES}.path", 5),
    "a path that is a list": changed(f"{FILES}.path", ["db"]),
    "a content that is not known": changed(f"{FILES}.content", "shell"),
    "a content of another engine": changed(f"{FILES}.content", "rdb"),
    "a database with a zero byte": changed(f"{FILES}.object", "shop\0image"),
    "a database without a name": changed(f"{FILES}.object", ""),
    "a database with a long name": changed(f"{FILES}.object", "\u00fc" * 128),
    "a database of surrogates": changed(f"{FILES}.object", "\ud800"),
    "an object of what has none": changed(f"{SUBJECT}.files.0", {**FILE, "content": "globals"}),
    "a size as text": changed(f"{FILES}.bytes", "3"),
    "a size below 0": changed(f"{FILES}.bytes", -1),
    "a size beyond all disks": changed(f"{FILES}.bytes", 2**60),
    "a size that is true": changed(f"{FILES}.bytes", True),
    "a size that is a fraction": changed(f"{FILES}.bytes", 3.0),
    "a checksum that is null": changed(f"{FILES}.sha256", None),
    "a checksum of capitals": changed(f"{FILES}.sha256", "A" * 64),
    "an unknown key": changed(f"{FILES}.mode", "0777"),
    "a subject that is a path": changed(f"{SUBJECT}.name", "../db"),
    "a subject that is a folder": changed(f"{SUBJECT}.name", ".."),
    "a subject like an option": changed(f"{SUBJECT}.name", "-rf"),
    "an engine that is not known": changed(f"{SUBJECT}.engine", "oracle"),
    "an engine of a volume": changed(f"{SUBJECT}.kind", "volume"),
    "facts that are a list": changed(f"{SUBJECT}.facts", ["15"]),
    "a fact that is a list": changed(f"{SUBJECT}.facts", {"image": ["x"]}),
    "a fact with a zero byte": changed(f"{SUBJECT}.facts", {"image": "a\0db\0fact/dir\0/:/host"}),
    "a fact with an escape sequence": changed(f"{SUBJECT}.facts", {"image": "\x1b[2J"}),
    "a fact that is not known": changed(f"{SUBJECT}.facts", {"command": "id"}),
    "a long fact": changed(f"{SUBJECT}.facts", {"image": "x" * 1001}),
    "rows below 0": changed(f"{SUBJECT}.rows", -1),
    "no files": changed(f"{SUBJECT}.files", None),
    "an empty list of files": changed(f"{SUBJECT}.files", []),
    "a file twice": changed(f"{SUBJECT}.files", [FILE, FILE]),
    "a path twice": changed(f"{SUBJECT}.files", [FILE, {**FILE, "object": "other"}]),
    "a database twice": changed(f"{SUBJECT}.files", [FILE, {**FILE, "path": "db/002.dump"}]),
    "too many files": changed(f"{SUBJECT}.files", [FILE] * 20_001),
    "a subject twice": changed("subjects", GOOD["subjects"] * 2),
    "subjects that are text": changed("subjects", "db"),
    "an id that is a number": changed("id", 5),
    "an id that is a path": changed("id", "../20240102T150405Z"),
    "a project like an option": changed("project", "--privileged"),
    "an environment that is a path": changed("environment", "../x"),
    "a tool that is not known": changed("encryption", "sh"),
    "a time in words": changed("finished", "yesterday"),
    "another format": changed("format", 3),
    "a format that is true": changed("format", True),
    "a list": [GOOD],
    "null": None,
    "a deep nesting": b"[" * 200_000,
    "a number of many digits": b"9" * 5000,
    "no number": json.dumps(changed(f"{FILES}.bytes", float("nan"))).encode(),
    "a key twice": json.dumps(GOOD).encode().replace(b'"encryption"', b'"id": "x", "encryption"'),
    "not JSON": b"\xff\xfe",
    "another encoding": json.dumps(GOOD).encode("utf-16"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_a_manifest_cannot_say_is_refused_with_its_place_and_not_its_words(
    tmp_path: Path, what: str
) -> None:
    with pytest.raises(BackupsError, match="is invalid, or of a newer version") as caught:
        read_manifest(written(tmp_path, BAD[what]), TRUST)
    said = str(caught.value).replace(str(tmp_path), "")
    assert said.isprintable()
    assert len(said) < 120
    assert "/:/host" not in said


DATABASES = ["-rf a b'c\"d$HOME`id`\\e;f*=g\nline two", "dbname=template1", "\udcff bytes", "ü" * 31, "$(id)"]


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_can_have_any_name_that_postgresql_takes(name: str) -> None:
    manifest = parsed(json.dumps(changed(f"{FILES}.object", name)).encode())
    assert parsed(text_of(manifest)).files[0].object == name


def test_what_a_reader_would_refuse_is_not_written() -> None:
    file = StoredFile("db/../x", "volume", "", 1, "0" * 64)
    saved = Saved("db", "volume", "", {}, (file,))
    with pytest.raises(BackupsError, match=r"subjects\[0\]\.files\[0\]\.path"):
        text_of(Manifest("20240102T150405Z", "a", "b", "2024-01-02T15:04:05Z", "1", "", (saved,)))


def _without_code(told: dict[str, Any]) -> bytes:
    old = {**told, "format": 1, "subjects": [dict(saved) for saved in told["subjects"]]}
    for saved in old["subjects"]:
        saved.pop("rows", None)
    return json.dumps(old).encode()


def forged(folder: Path) -> None:
    """Change a backup and recalculate all its checksums."""
    image = changed(f"{SUBJECT}.facts", {"image": "evil/image"})
    (folder / MANIFEST).write_text(json.dumps(image))
    (folder / CHECKSUM).write_text(hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest())


def downgraded(folder: Path) -> None:
    (folder / MANIFEST).write_bytes(_without_code(GOOD))
    (folder / CHECKSUM).write_text(hashlib.sha256(_without_code(GOOD)).hexdigest())


FORGERIES = {
    "forged": (forged, "altered or forged"),
    "without a code": (lambda folder: (folder / CODE).unlink(), r"it has no manifest\.json\.mac"),
    "another text": (
        lambda folder: (folder / CODE).write_text("x\n"),
        "its authentication code is malformed",
    ),
    "a long code": (lambda folder: (folder / CODE).write_text("x" * 2000), "larger than 1024 bytes"),
    "a key of their own": (lambda folder: written(folder, GOOD, Key(bytes(32))), "was made with the key"),
    "of an earlier version": (downgraded, "before backups had an authentication code"),
    "a folder": (lambda folder: _folder(folder / MANIFEST), "cannot be read"),
    "too large": (
        lambda folder: (folder / MANIFEST).write_bytes(b" " * (2**24 + 1)),
        "larger than 16777216 bytes",
    ),
}


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("what", FORGERIES)
def test_what_was_not_made_with_the_key_is_refused(tmp_path: Path, what: str) -> None:
    harm, sentence = FORGERIES[what]
    harm(written(tmp_path, GOOD))
    with pytest.raises(BackupsError, match=sentence):
        read_manifest(tmp_path, TRUST)


def test_without_a_key_nothing_is_believed(tmp_path: Path) -> None:
    with pytest.raises(BackupsError, match="--key FILE"):
        read_manifest(written(tmp_path, GOOD), Trust(None, without_code=True))


def test_one_of_an_earlier_version_is_accepted_deliberately_and_says_no_more_than_others(
    tmp_path: Path,
) -> None:
    accepting = Trust(None, without_code=True)
    downgraded(tmp_path)
    assert read_manifest(tmp_path, accepting).id == GOOD["id"]
    (tmp_path / CHECKSUM).write_text("0" * 64)
    with pytest.raises(BackupsError, match="the checksum does not match"):
        read_manifest(tmp_path, accepting)
    text = _without_code(changed(f"{SUBJECT}.facts", {"dir": "/:/host\0"}))
    (tmp_path / MANIFEST).write_bytes(text)
    (tmp_path / CHECKSUM).write_text(hashlib.sha256(text).hexdigest())
    with pytest.raises(BackupsError, match=r"subjects\[0\]\.facts\.dir"):
        read_manifest(tmp_path, accepting)
