"""Backups made by somebody else: refused before anything runs, from any source, also by a drill.

In an earlier version a manifest could name an image and a mount, and both were used as root.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from exporter.backups.keys import KEY_FILE, Key, read_key
from exporter.backups.manifest import CHECKSUM, CODE, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.system.backing_up import Site

pytestmark = pytest.mark.timeout(900)

KEY_OF_SOMEBODY_ELSE = Key(bytes(32))


def evil(told: dict[str, Any]) -> dict[str, Any]:
    """Return facts that name an image and a mount of the whole host."""
    for saved in told["subjects"]:
        saved["facts"] |= {"image": "busybox:local", "dir": "/:/host"}
    return told


def records(told: dict[str, Any]) -> dict[str, Any]:
    """Return a fact that ends a record and begins another."""
    told["subjects"][0]["facts"]["image"] = "a\0db\0fact/image\0busybox:local"
    return told


def written(place: Path, told: dict[str, Any], key: Key | None) -> None:
    """Write a backup with valid checksums: with a code of `key`, or in the format of an earlier version."""
    text = json.dumps(told).encode()
    (place / MANIFEST).write_bytes(text)
    (place / CHECKSUM).write_text(hashlib.sha256(text).hexdigest())
    if key is not None:
        (place / CODE).write_text(key.seal(text))


def downgraded(told: dict[str, Any]) -> dict[str, Any]:
    for saved in told["subjects"]:
        saved.pop("rows", None)
    return {**told, "format": 1}


FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], Key | None, str]] = {
    "image and mount": (evil, KEY_OF_SOMEBODY_ELSE, "was made with the key"),
    "zero bytes": (records, KEY_OF_SOMEBODY_ELSE, "was made with the key"),
    "of an earlier version": (lambda told: downgraded(evil(told)), None, "--accept-unauthenticated"),
}


def started(site: Site) -> list[str]:
    """Return every container and program that the engine has started so far."""
    events = site.engine.docker("events", "--since", "0", "--until", "0s", "--filter", "event=create")
    return events.splitlines()


@pytest.mark.parametrize("words", [("--drill",), ("--yes",), ("--dry-run",)])
@pytest.mark.parametrize("what", FORGERIES)
def test_it_is_refused_before_anything_runs(
    site: Site, saved: tuple[str, dict[str, Any]], tmp_path: Path, what: str, words: tuple[str, ...]
) -> None:
    backup, _ = saved
    forge, key, sentence = FORGERIES[what]
    place = tmp_path / backup
    shutil.copytree(site.backups / backup, place)
    written(place, forge(json.loads((place / MANIFEST).read_text())), key)
    before = started(site)
    done = site.script("restore", str(place), *words)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "/:/host" not in done.stderr
    assert started(site) == before


def test_also_with_the_right_key_a_fact_cannot_hold_what_ends_a_record(
    site: Site, saved: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    backup, _ = saved
    place = tmp_path / backup
    shutil.copytree(site.backups / backup, place)
    key = read_key(site.folder / "secrets" / KEY_FILE)
    written(place, records(json.loads((place / MANIFEST).read_text())), key)
    done = site.script("restore", "--drill", str(place))
    assert done.returncode == 1
    assert "subjects[0].facts.image" in done.stderr
    written(place, evil(json.loads((site.backups / backup / MANIFEST).read_text())), key)
    (place / CHECKSUM).unlink()
    done = site.script("restore", "--drill", str(place), "cache")
    assert done.returncode == 0, "the image and the folder are those of what runs, whatever the backup says"


def test_one_of_an_earlier_version_is_accepted_deliberately(
    site: Site, saved: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    backup, _ = saved
    place = tmp_path / backup
    shutil.copytree(site.backups / backup, place)
    (place / CODE).unlink()
    written(place, downgraded(evil(json.loads((place / MANIFEST).read_text()))), None)
    done = site.script("restore", "--drill", str(place), "--accept-unauthenticated")
    assert done.returncode == 0, done.stderr
