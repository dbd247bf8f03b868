"""A store's password: the store and the file change together or not at all, wherever the command is killed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import exporter.secrets.work
from exporter.host.failures import EngineLost, OperationError
from tests.secrets.mortal import mortal
from tests.secrets.project import Entry, Project

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from exporter.secrets.inventory import Login
    from tests.secrets.project import Done

OLD = b"old-password-0123"
NEW = b"new-password-4567"


@dataclass
class FakeStores:
    """Stores that accept one password each. `failing`: what the change of a store raises, before or after it was
    made."""

    accepted: dict[str, bytes] = field(default_factory=lambda: {"database": OLD, "cache": OLD})
    failing: dict[str, tuple[Exception | type[KeyboardInterrupt], bool]] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    killed_after: bool = False

    def check(self, logins: Iterable[Login], known: Sequence[bytes]) -> None:
        for login in logins:
            self._way_in(login.store, known)

    def change(self, login: Login, known: Sequence[bytes], new: bytes) -> None:
        self._way_in(login.store, [*known, new])
        failure, made = self.failing.pop(login.store, (None, True))
        if made:
            self.accept(login.store, new)
        if failure is not None:
            raise failure

    def accept(self, store: str, new: bytes) -> None:
        """Apply the change; a test may kill the command here."""
        self.accepted[store] = new

    def _way_in(self, store: str, known: Sequence[bytes]) -> None:
        if store in self.stopped:
            raise OperationError(f"{store} is not running")
        if self.accepted[store] not in known:
            raise OperationError(f"{store} lets nobody in")


@pytest.fixture
def stores() -> Iterator[FakeStores]:
    fake = FakeStores()

    @contextlib.contextmanager
    def connected(_: str | None) -> Iterator[Any]:
        yield None

    with (
        mock.patch.object(exporter.secrets.work, "connected", connected),
        mock.patch.object(exporter.secrets.work, "Stores", side_effect=lambda *_: fake),
    ):
        yield fake


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path, [Entry("key", used_by=("api", "database"), password_of=("database", "cache"))])
    assert made.run("create", "key", "--from-file", "-", given=OLD).returncode == 0
    return made


def rotated(project: Project, given: bytes = NEW) -> Done:
    return project.run("rotate", "key", "--yes", "--from-file", "-", given=given)


def test_stores_and_file_change_together_and_come_back_together(project: Project, stores: FakeStores) -> None:
    done = rotated(project)
    assert done.returncode == 0, done.stderr
    assert stores.accepted == {"database": NEW, "cache": NEW}
    assert project.files() == {"key": NEW, "key.previous": OLD}
    said = done.stderr.decode()
    assert "changing the password of postgres in database (PostgreSQL)" in said
    assert "changing the password of default in cache (Redis)" in said
    # PostgreSQL reads the file only when it creates its data, Redis at each start.
    assert "exporter compose -e production -- restart api cache" in said
    assert project.run("revert", "key", "--yes").returncode == 0
    assert stores.accepted == {"database": OLD, "cache": OLD}
    assert project.files() == {"key": OLD, "key.previous": NEW}
    assert unfinished(project) == set()


@pytest.mark.parametrize("verb", ["rotate", "revert"])
@pytest.mark.parametrize("dry", [True, False])
def test_a_store_that_does_not_run_stops_it_before_anything_is_changed(
    project: Project, stores: FakeStores, verb: str, dry: bool
) -> None:
    assert rotated(project).returncode == 0
    stores.stopped.add("cache")
    before = project.files()
    done = project.run(verb, "key", "--dry-run" if dry else "--yes")
    assert (done.returncode, b"cache is not running" in done.stderr) == (1, True)
    assert project.files() == before
    assert set(stores.accepted.values()) == {NEW}
    assert unfinished(project) == set()
    done = project.run(verb, "key", "--yes", "--file-only")
    assert done.returncode == 0
    assert b"cache still has the old password; change it there" in done.stderr
    assert project.files()["key.previous"] == before["key"]
    assert set(stores.accepted.values()) == {NEW}


def test_a_dry_run_names_the_stores(project: Project, stores: FakeStores) -> None:
    said = project.run("rotate", "key", "--dry-run").stderr
    assert b"would rotate key with 32 random characters, and in database (PostgreSQL), cache (Redis)" in said
    assert set(stores.accepted.values()) == {OLD}
    assert project.files() == {"key": OLD}


def test_a_refused_change_is_taken_back(project: Project, stores: FakeStores) -> None:
    stores.failing["cache"] = (OperationError("cache rejected the new password"), False)
    done = rotated(project)
    assert (done.returncode, b"the change was undone, and the old value is still valid" in done.stderr) == (
        1,
        True,
    )
    assert stores.accepted == {"database": OLD, "cache": OLD}
    assert project.files() == {"key": OLD}
    assert unfinished(project) == set()


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("finish", ["rotate", "revert"])
@pytest.mark.parametrize(
    ("failure", "status"), [(EngineLost("the engine does not answer"), 3), (KeyboardInterrupt, 130)]
)
def test_where_nothing_can_be_known_it_is_kept_for_the_next_command(
    project: Project,
    stores: FakeStores,
    failure: Exception,
    status: int,
    finish: str,
    made: bool,
) -> None:
    stores.failing["cache"] = (failure, made)
    done = rotated(project)
    assert done.returncode == status, done.stderr
    for verb in ("rotate", "revert"):
        assert f"exporter secrets {verb} key -e production".encode() in done.stderr
    assert project.value("key") == OLD
    checked = project.run("check")
    assert checked.returncode == 1
    assert b"key: its rotate was interrupted" in checked.stdout
    assert b"another value was interrupted" in rotated(project).stderr
    assert project.run(finish, "key", "--yes").returncode == 0
    value = NEW if finish == "rotate" else OLD
    assert (project.value("key"), set(stores.accepted.values())) == (value, {value})
    assert unfinished(project) == set()


def test_a_taking_back_that_fails_is_kept_too(project: Project, stores: FakeStores) -> None:
    stores.failing["cache"] = (OperationError("cache rejected the new password"), False)
    change = stores.change

    def first_only(login: Login, known: Sequence[bytes], new: bytes) -> None:
        if new == OLD:
            raise OperationError(f"{login.store} is gone")
        change(login, known, new)

    with mock.patch.object(stores, "change", first_only):
        done = rotated(project)
    assert done.returncode == 1
    assert b"is not finished" in done.stderr
    assert stores.accepted == {"database": NEW, "cache": OLD}
    assert project.run("revert", "key", "--yes").returncode == 0
    assert set(stores.accepted.values()) == {OLD}


@pytest.mark.parametrize("verb", ["rotate", "revert"])
@pytest.mark.parametrize("finish", ["same", "other"])
def test_killed_at_any_step_it_can_be_completed_and_taken_back(
    project: Project, stores: FakeStores, verb: str, finish: str
) -> None:
    """Check at every step that no value is lost and that the next command leaves store and file with
    the same value."""
    assert rotated(project).returncode == 0
    kinds = set()
    for step in count():
        before, earlier = project.value("key"), project.value("key.previous")
        with mortal(step, (stores, "accept")) as killed:
            project.run(verb, "key", "--yes")
        kinds |= set(killed[:1])
        if not killed:
            break
        values = {path.read_bytes() for path in project.folder.iterdir()}
        assert before in values
        assert set(stores.accepted.values()) <= values
        assert project.value("key") in (before, *values)
        other = "revert" if verb == "rotate" else "rotate"
        done = project.run(verb if finish == "same" else other, "key", "--yes")
        if done.returncode and finish == "other" and verb == "revert":
            assert b"a revert of key was interrupted" in done.stderr
            assert project.run(verb, "key", "--yes").returncode == 0
        else:
            assert done.returncode == 0, (step, done.stderr)
        assert set(stores.accepted.values()) == {project.value("key")}, step
        assert unfinished(project) == set()
        if verb == "revert" and finish == "same":
            assert set(project.files().values()) == {before, earlier}
        assert set(project.files()) == {"key", "key.previous"}
    assert kinds >= {"fsync", "replace", "unlink", "mkstemp", "accept"}


@pytest.mark.parametrize("value", [b"two\nlines", b"\xff\xfe not text", b"nul\0"])
def test_a_password_is_one_line_of_text(project: Project, stores: FakeStores, value: bytes) -> None:
    done = rotated(project, value)
    assert (done.returncode, b"one line of UTF-8 text" in done.stderr) == (1, True)
    assert project.files() == {"key": OLD}
    assert set(stores.accepted.values()) == {OLD}


def test_a_restore_that_did_not_end_comes_first(project: Project, stores: FakeStores) -> None:
    project.state.mkdir(parents=True)
    (project.state / "restoring").write_text("names=database\nbackup=1\nuser=u\nsince=now\n")
    done = rotated(project)
    assert (done.returncode, b"did not restore: database" in done.stderr) == (1, True)
    assert set(stores.accepted.values()) == {OLD}


def unfinished(project: Project) -> set[str]:
    """Return what an interrupted rotation leaves."""
    journal = project.state / "rotations"
    left = {path.parent.name for path in journal.glob("*/step")}
    return left | {name for name in project.files() if name.startswith(".")}
