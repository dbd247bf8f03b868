"""A restore without an engine: its order, its journal, and the state after any of its steps fails."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from exporter.backups.restore_journal import Journal, known_folders
from exporter.backups.subjects import BackupsError
from exporter.host.failures import EngineLost, OperationError, Refused
from exporter.host.state import RESTORING
from tests.backups.restores import ID, Fixture, fixture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENTS = [
    "stop id-api",
    "compose up -d --no-deps --no-build db",
    "load db",
    "load cache",
    "load files",
    "compose up -d --no-build",
    "verify",
]
LEFT = [("db", "cache", "files")] * 3 + [("cache", "files"), ("files",), (), ()]
"""Names that are not restored yet when each of these steps runs."""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fixture]:
    with fixture(tmp_path, monkeypatch) as made:
        yield made


def test_it_stops_what_writes_restores_each_alone_and_starts_the_rest(there: Fixture) -> None:
    there.restore()
    assert there.events.happened == EVENTS
    assert not (there.site.state_folder / RESTORING).exists()
    said = there.said.getvalue()
    assert "db.sales: 6 saved, 6 restored" in said
    assert said.index("stopping api") < said.index("== db") < said.index("== starting all services")


FAILURES = [
    BackupsError("it is not good"),
    Refused("the engine reports an error"),
    EngineLost("the engine is gone"),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize(("at", "failure"), list(itertools.product(range(len(EVENTS)), FAILURES)))
def test_what_fails_at_any_step_is_in_the_journal_and_the_next_one_completes_it(
    there: Fixture, at: int, failure: BaseException
) -> None:
    there.events.fail[EVENTS[at]] = failure
    with pytest.raises((BackupsError, OperationError, KeyboardInterrupt)) as caught:
        there.restore()
    if isinstance(failure, EngineLost | KeyboardInterrupt):
        assert caught.value is failure, "an unknown outcome must not be reported as not restored"
    assert there.left == LEFT[at]
    journal = there.site.state_folder / RESTORING
    assert journal.exists() is (EVENTS[at] != "verify")
    if EVENTS[at].startswith("load"):
        assert EVENTS[-2] not in there.events.happened, (
            "a writing service must not be started on partial data"
        )
    left = there.site.state.half_restored("staging")
    there.events.happened.clear()
    there.restore(*(left.names if left else ()))
    assert f"load {(left.names if left else ('db',))[0]}" in there.events.happened
    assert not journal.exists()


def test_one_that_completes_another_stops_the_store_itself_too(there: Fixture) -> None:
    there.events.fail["load db"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        there.restore("db")
    there.events.happened.clear()
    there.restore("db")
    assert there.events.happened[0] == "stop id-api id-db"


def test_the_journal_says_where_redis_keeps_its_data_when_it_cannot_be_asked(there: Fixture) -> None:
    there.events.fail["load cache"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        there.restore()
    there.monkeypatch.setattr("exporter.backups.places.data_folder_of", lambda _: pytest.fail("it was asked"))
    there.restore("cache", "files")


@pytest.mark.parametrize(
    ("folder", "backup"),
    [
        ("backups/staging/20260102T030000Z", ID),
        ("elsewhere/20260102T030000Z", "{root}/elsewhere/20260102T030000Z"),
        ("a b'c/20260102T030000Z", "'{root}/a b'\"'\"'c/20260102T030000Z'"),
    ],
)
def test_the_next_command_names_the_backup_as_a_shell_reads_it(
    there: Fixture, folder: str, backup: str
) -> None:
    site = there.site
    Journal.begin(site.state, site.root / folder, site.root / "backups/staging", ["db", "cache"])
    left = site.state.half_restored("staging")
    assert left is not None
    assert left.command == f"exporter restore -e staging {backup.format(root=site.root)} db cache"
    assert left.command in left.sentence


def test_a_journal_that_somebody_wrote_by_hand_is_shown_without_harm(there: Fixture) -> None:
    there.site.state.write(RESTORING, "names=db ../x --yes\nbackup=\x1b[2Jx\nuser=\x07\nfolder.cache=data\n")
    left = there.site.state.half_restored("staging")
    assert left is not None
    assert left.names == ("db", "../x", "--yes")
    assert left.sentence.isprintable()
    assert known_folders(there.site.state) == {}


def test_a_journal_of_the_scripts_is_taken_over(there: Fixture) -> None:
    there.site.state.write(RESTORING, f"names=db cache\nbackup={ID}\nuser=ann\nsince=2026-01-02T03:00:00Z\n")
    assert there.left == ("db", "cache")
    there.restore("db", "cache")
    assert not there.site.state.half_restored("staging")
