"""The states to which a rollback is possible."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.host.failures import OperationError
from exporter.releases.records import Change, Record
from exporter.releases.shown_records import target_row
from exporter.releases.targets import Target, choose, targets

NONE = Change("", "")


def ok(id_: str, version: str, *services: str) -> Record:
    return Record(id_, "live", services, "me", "host", 1, 2, "ok", version, {"web": NONE, "api": NONE})


STACK = [ok("1", "v1"), ok("2", "v2"), ok("3", "v3", "web"), ok("4", "v4")]
BEFORE = {"1": None, "2": "v1", "3": "v2", "4": "v3"}


def chosen(records: list[Record], service: str = "", to: str = "") -> Target:
    return choose(records, targets(records, BEFORE.get, service), service, to)


@pytest.mark.parametrize(
    ("records", "service", "to", "expected"),
    [
        (STACK, "", "", ("4", "v3", "", 1)),
        (STACK, "", "v3", ("4", "v3", "", 1)),
        (STACK, "", "v1", ("2", "v1", "", 3)),
        (STACK, "", "1", ("2", "v1", "", 3)),
        (STACK, "api", "v1", ("2", "v1", "api", 2)),
        (STACK[:3], "", "", ("3", "v2", "web", 1)),
        (STACK[:3], "api", "", ("2", "v1", "api", 1)),
    ],
)
def test_the_newest_that_fits_is_chosen(
    records: list[Record], service: str, to: str, expected: tuple[str, str, str, int]
) -> None:
    target = chosen(records, service, to)
    assert (target.base, target.tag, target.service, len(target.undone)) == expected


@pytest.mark.parametrize(
    ("records", "service", "to", "sentence"),
    [
        ([], "", "", "there is no good deploy to undo"),
        ([], "web", "", "there is no good deploy of web to undo"),
        (STACK[:1], "", "", "nothing ran before deploy 1, so there is nothing to roll back to"),
        (STACK, "", "v4", "v4 is the last good deploy"),
        (STACK, "", "v9", "v9 is not kept; you can roll back to: v3, v2, v1"),
    ],
)
def test_what_cannot_be_gone_back_to_is_said(
    records: list[Record], service: str, to: str, sentence: str
) -> None:
    with pytest.raises(OperationError, match=sentence):
        chosen(records, service, to)


def test_what_was_undone_or_is_no_longer_kept_is_not_offered() -> None:
    undone = replace(ok("5", "v3"), result="reverted", reverts="4")
    assert [each.base for each in targets([*STACK, undone], BEFORE.get)] == ["3", "2"]
    gone = {"4": "v3", "2": "v1"}
    assert [each.base for each in targets(STACK, gone.get)] == ["4"]


def test_a_row_says_what_and_since_when() -> None:
    rows = [target_row(each) for each in targets(STACK, BEFORE.get)]
    assert rows[0] == "v3               all  deployed 1970-01-01 00:00:02 UTC (3); undoes 1 deploy"
    assert rows[1] == "v2               all  deployed 1970-01-01 00:00:02 UTC (2); undoes 2 deploys"
