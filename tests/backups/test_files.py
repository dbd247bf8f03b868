"""SQLite, volumes and the configuration: saved and restored by the real programs, on files of the test."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.backups.engines import configuration, sqlite, volume
from exporter.backups.engines.shape import Mount
from exporter.backups.subjects import BackupsError
from tests.backups.copies import Copied, Copy
from tests.backups.local_host import LocalHost, place_of

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.backups.engines.shape import Place

NAME = "-rf a b'c\"d$(id)\\e.db"


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    return LocalHost(tmp_path / "host")


@pytest.fixture
def database(tmp_path: Path, host: LocalHost) -> Place:
    """Create the SQLite file of a service."""
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(sqlite3.connect(folder / NAME)) as base:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute('CREATE TABLE "t""$x" (id INTEGER PRIMARY KEY)')
        base.execute("CREATE TABLE keys (id INTEGER)")
        base.executemany('INSERT INTO "t""$x" VALUES (?)', [(i,) for i in range(50)])
        base.commit()
    host.found_mounts = (Mount("bind", str(folder), str(folder)),)
    return place_of(host, "sqlite", path=str(folder / NAME))


def rows(place: Place) -> int:
    with closing(sqlite3.connect(place.path)) as base:
        count: int = base.execute('SELECT count(*) FROM "t""$x"').fetchone()[0]
        return count


def test_sqlite_is_saved_while_it_is_written_to_and_put_back(database: Place) -> None:
    copy = Copy()
    with closing(sqlite3.connect(database.path)) as writer:
        writer.execute('INSERT INTO "t""$x" VALUES (1000)')  # never committed
        assert sqlite.save(database, copy) == {'t"$x': 50, "keys": 0}
    assert sqlite.count(database) == {'t"$x': 50, "keys": 0}
    with closing(sqlite3.connect(database.path)) as base:
        base.execute('DELETE FROM "t""$x"')
        base.commit()
    restored = sqlite.load(database, Copied(copy))
    assert [(each.what, each.saved, each.restored) for each in restored.compared] == [
        ("keys", 0, 0),
        ('t"$x', 50, 50),
    ]
    assert rows(database) == 50


def test_sqlite_stays_as_it_is_where_the_backup_is_not_what_was_counted(database: Place) -> None:
    copy = Copy()
    sqlite.save(database, copy)
    copy.files["counts", ""] = copy.files["counts", ""].replace(b"50", b"51")
    with pytest.raises(BackupsError, match="restoring the file of till"):
        sqlite.load(database, Copied(copy))
    assert rows(database) == 50


@pytest.mark.parametrize(
    "counts",
    [
        b"",
        b"{}",
        b"[]",
        b'{"quick_check": "ok", "tables": [["t", "1"]]}',
        b'{"quick_check": "ok", "tables": 1}',
    ],
)
def test_counts_of_sqlite_that_say_something_else_are_refused(database: Place, counts: bytes) -> None:
    copy = Copy()
    sqlite.save(database, copy)
    copy.files["counts", ""] = counts
    with pytest.raises(BackupsError, match="the answer is not as expected"):
        sqlite.load(database, Copied(copy))


def test_a_python_that_lies_is_not_saved(database: Place, host: LocalHost) -> None:
    for answer in ("printf '{}\\nSQLite'", "head -c 5000000 /dev/zero", "echo '$(id)'"):
        host.program("python3", answer)
        with pytest.raises(BackupsError):
            sqlite.save(database, Copy())


def test_a_volume_is_put_back_as_it_was(tmp_path: Path, host: LocalHost) -> None:
    folder = tmp_path / "volume"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "-x\n").write_text("one")
    (folder / "link").symlink_to("sub")
    os.link(folder / "sub" / "-x\n", folder / "hard")
    host.volumes["v"] = folder
    place = replace(place_of(host, ""), volume="v", container="")
    copy = Copy()
    saved = volume.save(place, copy)
    assert saved == volume.count(place)
    (folder / "later").touch()
    (folder / "hard").unlink()
    restored = volume.load(place, Copied(copy))
    assert {each.what: each.restored for each in restored.compared} == saved
    assert sorted(path.name for path in folder.iterdir()) == ["hard", "link", "sub"]
    copy.files["counts", ""] = copy.files["counts", ""].replace(b'"sha256": "', b'"sha256": "0')
    with pytest.raises(BackupsError, match="the volume till differs from what was saved"):
        volume.load(place, Copied(copy))


def test_the_configuration_is_put_back_and_other_files_stay(tmp_path: Path, host: LocalHost) -> None:
    folder = tmp_path / "site"
    (folder / "settings").mkdir(parents=True)
    (folder / "settings" / "a").write_text("as it was")
    place = replace(place_of(host, ""), folder=folder, files=("settings",))
    copy = Copy()
    assert configuration.save(place, copy) == {"files": 1}
    (folder / "settings" / "a").write_text("changed")
    (folder / "settings" / "b").write_text("later")
    assert configuration.load(place, Copied(copy)).files == ("settings/a",)
    assert (folder / "settings" / "a").read_text() == "as it was"
    assert (folder / "settings" / "b").exists()
    with pytest.raises(BackupsError, match="is not below"):
        configuration.save(replace(place, files=("../outside",)), Copy())
