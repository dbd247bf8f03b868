"""The plan of a restore: what it contains, who is stopped, and what is refused before anything is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.backups.restore_plan import WrongNameError, choose, plan_restore, uncovered
from exporter.backups.subjects import BackupsError, subjects
from exporter.host.state import HalfRestored
from tests.backups.restores import CATALOG, manifest
from tests.outputs.catalogs import catalog_of

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.backups.subjects import Subject


@pytest.fixture
def known(tmp_path: Path) -> dict[str, Subject]:
    return subjects(catalog_of(tmp_path, CATALOG.format(backups=tmp_path)))


@pytest.mark.parametrize(
    ("held", "names", "restored"),
    [
        (("db", "cache", "files"), (), ("db", "cache", "files")),
        (("cache",), (), ("cache",)),
        (("db", "files"), ("files",), ("files",)),
        (("db", "cache"), ("cache", "db", "cache"), ("cache", "db")),
    ],
)
def test_what_is_restored(
    known: dict[str, Subject], held: tuple[str, ...], names: tuple[str, ...], restored: tuple[str, ...]
) -> None:
    plan = plan_restore(manifest(*held), known, names)
    assert plan.names == restored
    assert plan.stopped == ("api",)
    assert not plan.only_configuration


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("files",), r"does not contain files; it contains db, cache"),
        (("$(id)",), r"does not contain"),
    ],
)
def test_a_name_that_the_backup_does_not_hold(
    known: dict[str, Subject], names: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(WrongNameError, match=sentence):
        plan_restore(manifest("db", "cache"), known, names)


def test_another_kind_in_the_catalog(known: dict[str, Subject]) -> None:
    known["db"] = known["cache"]
    with pytest.raises(WrongNameError, match="db is postgresql in the backup and redis in the catalog"):
        plan_restore(manifest("db"), known, ())
    del known["db"]
    with pytest.raises(WrongNameError, match="db is postgresql in the backup and nothing in the catalog"):
        plan_restore(manifest("db"), known, ())


def test_the_configuration_is_restored_only_when_it_is_named(
    known: dict[str, Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.backups.restores.KINDS",
        {"configuration": ("configuration", ""), "db": ("store", "postgresql")},
    )
    held = manifest("db", "configuration")
    assert plan_restore(held, known, ()).names == ("db",)
    alone = plan_restore(held, known, ("configuration",))
    assert (alone.only_configuration, alone.stopped) == (True, ())
    assert [item.name for item in choose(held, known, (), configuration=True)] == ["db", "configuration"]
    with pytest.raises(BackupsError, match="only the configuration"):
        plan_restore(manifest("configuration"), known, ())


def test_an_interrupted_restore_is_covered_by_the_next(known: dict[str, Subject]) -> None:
    left = HalfRestored(("db", "cache"), "exporter restore", "")
    assert uncovered(left, ("db",)) == ("cache",)
    assert uncovered(left, ("db", "cache", "files")) == ()
    assert uncovered(None, ()) == ()
    plan = plan_restore(manifest("db", "cache"), known, (), left)
    assert plan.completes
    assert plan.stopped == ("api", "cache", "db")


def test_a_line_for_a_person(known: dict[str, Subject]) -> None:
    [item] = plan_restore(manifest("db"), known, ()).items
    assert item.line == "db  postgresql 16.3  6 rows  4 bytes"
