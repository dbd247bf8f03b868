"""The table of backups: everything that is known about each of them, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from exporter.backups import listing
from exporter.backups.authentic import Trust
from exporter.backups.listing import age, list_backups
from exporter.backups.marks import begin, begin_drill, end, end_drill
from exporter.backups.subjects import BackupsError, backups_folder, chosen
from tests.backups.folders import TRUST, catalog, sealed

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog

OLD, NEW, THERE = "20260101T030000Z", "20260102T030000Z", "20251231T030000Z"
NOW = 1767409200.0 + 3600  # an hour after 03:00 on the day of NEW


class FakeBucket:
    """A bucket with two backups, or one that does not answer."""

    answers = True

    def __init__(self, catalog: Catalog) -> None: ...

    def backups(self) -> list[str]:
        if not self.answers:
            raise BackupsError("s3://shop-backups: it does not answer")
        return [OLD, THERE]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setattr(listing, "Bucket", FakeBucket)
    monkeypatch.setattr(FakeBucket, "answers", True)
    made = catalog(tmp_path, ", s3: shop-backups")
    folder, them = backups_folder(made), chosen(made, [])
    begin(made, them.values(), 60)
    for id_ in (OLD, NEW):
        sealed(made, folder, id_)
    end(made, them.values(), backup=folder / NEW, error=None, trust=TRUST)
    begin_drill(made, them.values(), 60)
    end_drill(made, them.values(), backup=OLD, error=None)
    begin_drill(made, [them["first"]], 60)
    end_drill(made, [them["first"]], backup=NEW, error="broken")
    return made


def test_each_with_what_is_known_of_it(there: Catalog) -> None:
    found = list_backups(there, backups_folder(there), TRUST, NOW)
    new, old, away = found.rows
    assert (new.id, new.age_seconds, new.names, new.here, new.bucket) == (
        NEW, NOW - 1767322800.0, ("first", "second"), True, False,
    )  # fmt: skip
    assert new.drill == {"first": False}
    assert old.drill == {"second": True}
    assert (old.bucket, old.here) == (True, True)
    assert new.size_bytes == len(f"first {NEW}second {NEW}")
    assert (away.id, away.here, away.bucket, away.size_bytes, away.names) == (THERE, False, True, None, None)
    json.dumps(found.as_json())
    lines = list(found.table())
    assert lines[0].split() == ["BACKUP", "AGE", "SIZE", "ROWS", "DRILL", "BUCKET", "HOLDS"]
    assert "failed: first" in lines[1]
    assert "passed" in lines[2]
    assert lines[3].endswith("only in the bucket")


def test_a_bucket_that_does_not_answer_is_not_an_empty_one(there: Catalog) -> None:
    FakeBucket.answers = False
    found = list_backups(there, backups_folder(there), TRUST, NOW)
    assert "does not answer" in found.silent
    assert [row.bucket for row in found.rows] == [None, None]


def test_one_that_is_not_authentic_says_so_instead_of_what_it_claims(there: Catalog) -> None:
    found = list_backups(there, backups_folder(there), Trust(None), NOW)
    assert [row.names for row in found.rows] == [None] * 3
    assert "the backup key is missing" in found.rows[0].problem


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0m"), (59, "0m"), (3660, "1h 1m"), (86400, "1d"), (90000, "1d 1h"), (-5, "0m")],
)
def test_an_age_for_a_person(seconds: float, text: str) -> None:
    assert age(seconds) == text
