"""`exporter secrets`: where values come from, what is kept and found, and that no value is shown."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import subprocess
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.outputs.compose.names import NOBODY
from tests.secrets.mortal import mortal
from tests.secrets.project import Entry, Project
from tests.secrets.terminal import Terminal, Watch, kill_group
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.secrets.project import Done

DAY = 86400
MARKER = "Marker-7f3a $(id) `id` \"'\\ é"
"""A value that would change if it were interpreted as code; tests search for it where no value may appear."""

AWKWARD = ["with space", "it's", 'a "quoted" one', "$HOME", "$(id)", "`id`", "-n", "--yes", "*", "é"]


# --- sources of values


def test_a_generated_value_has_its_length_and_only_letters_and_digits(tmp_path: Path) -> None:
    project = Project(
        tmp_path, [Entry("short", value="16"), Entry("key", value="64"), Entry("long", value="4096")]
    )
    succeeds(project, "create")
    for name, length in {"short": 16, "key": 64, "long": 4096}.items():
        assert len(project.value(name)) == length
        assert project.value(name).isalnum()
        assert project.value(name).isascii()
    assert len(set(project.value("long"))) == 62
    assert mode(project.folder) == 0o700
    assert {mode(project.folder / name) for name in project.files()} == {0o400}


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        (b"plain", b"plain"),
        (b"one line\n", b"one line"),
        (b"one line\r\n", b"one line"),
        (b"  spaces stay \n", b"  spaces stay "),
        (b"-----BEGIN-----\nabc\n-----END-----\n", b"-----BEGIN-----\nabc\n-----END-----\n"),
        (b"\x00\xff binary", b"\x00\xff binary"),
        (b"x" * 65536, b"x" * 65536),
    ],
)
@pytest.mark.parametrize("by_pipe", [False, True])
def test_a_file_or_standard_input_is_stored_as_it_is(
    tmp_path: Path, content: bytes, stored: bytes, by_pipe: bool
) -> None:
    project = Project(tmp_path, [Entry("key", "file", "./secrets/key")])
    source = tmp_path / "-a file's $name"
    source.write_bytes(content)
    name = "-" if by_pipe else str(source)
    succeeds(project, "create", "key", "--from-file", name, given=content if by_pipe else b"")
    assert project.files() == {"key": stored}


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 65537])
def test_an_empty_or_too_large_value_is_refused(tmp_path: Path, content: bytes) -> None:
    project = Project(tmp_path, [Entry("key")])
    assert fails(project, "create", "key", "--from-file", "-", given=content)
    assert project.files() == {}


def test_the_catalogs_own_source_is_used_where_it_has_a_value(tmp_path: Path) -> None:
    entries = [Entry("from file", "file", "./secrets/it's $one"), Entry("token", "env", "SHOP_TOKEN")]
    project = Project(tmp_path, entries)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "it's $one").write_text(MARKER + "\n")
    succeeds(project, "create", variables={"SHOP_TOKEN": "two\nlines\n"})
    assert project.files() == {"from file": MARKER.encode(), "token": b"two\nlines\n"}


def test_without_a_value_and_a_terminal_it_stops_before_anything_is_made(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("key"), Entry("token", "env", "SHOP_TOKEN")])
    assert "token has no new value" in fails(project, "create")
    assert project.files() == {}


@pytest.mark.parametrize("answers", [[MARKER, MARKER], ["  a b ", "  a b "], ["-n", "-n"]])
def test_a_prompt_asks_twice_without_echo(tmp_path: Path, answers: list[str]) -> None:
    project = Project(tmp_path, [Entry("token", "file", "./secrets/token")])
    status, shown = converse(project, ["create"], answers)
    assert status == 0, shown
    assert project.value("token") == answers[0].encode()
    assert answers[0].strip() not in shown.replace("token", "") or answers[0] == "-n"


def test_a_prompt_refuses_entries_that_differ(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("token", "env", "SHOP_TOKEN")])
    status, shown = converse(project, ["create"], ["first-entry", "second-entry"])
    assert status == 1
    assert "differ" in shown
    assert "entry" not in shown.replace("entries", "")
    assert project.files() == {}


def test_an_interrupted_prompt_gives_the_terminal_back(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("token", "env", "SHOP_TOKEN")])
    with Terminal(project.command("create"), project.environment()) as terminal:
        terminal.wait_for("token: ")
        terminal.interrupt()
        assert terminal.status() != 0
        assert terminal.echoes()
    assert project.files() == {}


# --- names and paths are data


def test_names_and_folders_are_data(tmp_path: Path) -> None:
    folder = tmp_path / "it's a $(touch made) `folder`" / "-x"
    project = Project(
        tmp_path, [Entry(name, rotate_seconds=DAY, used_by=("api",)) for name in AWKWARD], folder
    )
    succeeds(project, "create")
    assert set(project.files()) == set(AWKWARD)
    listed = succeeds(project, "list").stdout.decode()
    assert [line for line in AWKWARD if line in listed] == AWKWARD
    before = project.files()
    succeeds(project, "rotate", "--yes", "--", *AWKWARD, AWKWARD[0])
    after = project.files()
    for name in AWKWARD:
        assert after[f"{name}.previous"] == before[name]
        assert after[name] != before[name]
    assert succeeds(project, "check").stdout == b""
    assert not list(tmp_path.rglob("made"))


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "two\nlines"])
def test_a_name_that_cannot_be_a_file_is_refused(tmp_path: Path, name: str) -> None:
    project = Project(tmp_path, [Entry(name)])
    done = project.run("create")
    assert (done.returncode, b"cannot be used for a file" in done.stderr) == (2, True)
    assert project.files() == {}


def test_a_secret_in_the_place_of_the_last_value_of_another_is_refused(tmp_path: Path) -> None:
    done = Project(tmp_path, [Entry("a"), Entry("a.previous")]).run("list")
    assert (done.returncode, b"rename it" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["create", MARKER],
        ["create", "key", f"--{MARKER}"],
        ["create", "key", f"--from-file={MARKER}"],
        ["set", "key", MARKER],
        ["create", "--from-file", MARKER],
        ["list", "key", "--from-file", "-"],
        [],
    ],
)
def test_wrong_usage_is_status_2_and_repeats_no_argument(tmp_path: Path, words: list[str]) -> None:
    project = Project(tmp_path, [Entry("key"), Entry("other")])
    done = project.run(*words)
    assert done.returncode == 2, done.stderr
    assert "Marker" not in (done.stdout + done.stderr).decode()
    assert project.files() == {}


def test_help_needs_no_environment(tmp_path: Path) -> None:
    done = Project(tmp_path, []).run("--help")
    assert done.returncode == 0
    assert b"Usage: " in done.stdout


# --- kept, rotated, found


def test_create_keeps_what_is_there_and_mends_its_mode(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("key"), Entry("other")])
    succeeds(project, "create", "key")
    before = project.value("key")
    (project.folder / "key").chmod(0o644)
    project.folder.chmod(0o755)
    succeeds(project, "create")
    assert project.value("key") == before
    assert mode(project.folder / "key") == 0o400
    assert mode(project.folder) == 0o700
    assert set(project.files()) == {"key", "other"}


def test_rotate_keeps_one_earlier_value_and_names_the_users(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("key", used_by=("api", "worker")), Entry("other")])
    succeeds(project, "create")
    first = project.value("key")
    said = succeeds(project, "rotate", "key", "--yes").stderr.decode()
    assert "restart the services that use it: exporter compose -e production -- restart api worker" in said
    second = project.value("key")
    succeeds(project, "rotate", "key", "--yes")
    assert project.files() == {
        "key": project.value("key"),
        "key.previous": second,
        "other": project.value("other"),
    }
    assert len({first, second, project.value("key")}) == 3
    assert {mode(project.folder / name) for name in project.files()} == {0o400}


def test_rotate_without_names_takes_those_that_are_due(tmp_path: Path) -> None:
    project = Project(
        tmp_path, [Entry("due", rotate_seconds=DAY), Entry("young", rotate_seconds=DAY), Entry("ever")]
    )
    succeeds(project, "create")
    for name in ("due", "ever"):
        aged(project.folder / name, 3 * DAY)
    before = project.files()
    assert b"due: rotation overdue by 2 days" in project.run("check").stdout
    succeeds(project, "rotate", "--yes")
    after = project.files()
    assert after.pop("due.previous") == before["due"]
    assert after.pop("due") != before.pop("due")
    assert after == before
    succeeds(project, "check")


def test_rotate_asks_first(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("key")])
    succeeds(project, "create")
    before = project.files()
    assert "--yes" in fails(project, "rotate", "key")
    assert converse(project, ["rotate", "key"], ["no"])[0] == 1
    assert project.files() == before
    assert converse(project, ["rotate", "key"], ["y"])[0] == 0
    assert project.files()["key.previous"] == before["key"]


def test_rotate_refuses_the_same_value_and_a_missing_secret(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("key"), Entry("other")])
    succeeds(project, "create", "key", "--from-file", "-", given=b"same")
    assert "the same as the current one" in fails(
        project, "rotate", "key", "--yes", "--from-file", "-", given=b"same\n"
    )
    assert "other is missing" in fails(project, "rotate", "other", "--yes")
    assert project.files() == {"key": b"same"}


def test_check_finds_each_fault_and_list_shows_it(tmp_path: Path) -> None:
    names = ["good", "absent", "open", "empty", "linked", "future"]
    project = Project(tmp_path, [Entry(name, rotate_seconds=DAY) for name in names])
    succeeds(project, "create", "good", "open", "future", "linked")
    (project.folder / "open").chmod(0o444)
    (project.folder / "empty").touch(0o400)
    (project.folder / "linked").rename(project.folder / "stray")
    (project.folder / "linked").symlink_to("stray")
    (project.folder / "stray").chmod(0o640)
    aged(project.folder / "future", -DAY)
    project.folder.chmod(0o750)
    done = project.run("check")
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        "absent: missing",
        "open: mode 0444 instead of 0400",
        "empty: empty",
        "linked: not a regular file",
        "future: its time is in the future",
        f"{project.folder}: mode 0750 instead of 0700",
        "stray: mode 0640: users other than the owner can access it",
    ]
    listed = dict(line.split(maxsplit=1) for line in succeeds(project, "list").stdout.decode().splitlines())
    assert listed["good"].endswith("present")
    assert listed["absent"].endswith("missing")
    assert listed["open"].endswith("mode 0444 instead of 0400")


def test_programs_read_the_same_as_json(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("key", rotate_seconds=DAY, used_by=("api",)), Entry("absent")])
    succeeds(project, "create", "key")
    aged(project.folder / "key", 3 * DAY)
    (project.folder / "stray").write_text("x")
    listed = json.loads(succeeds(project, "list", "--json").stdout)["secrets"]
    assert listed[0] == {
        "name": "key",
        "present": True,
        "age_seconds": pytest.approx(3 * DAY, abs=60),
        "rotate_in_seconds": pytest.approx(-2 * DAY, abs=60),
        "due": True,
        "findings": ["rotation overdue by 2 days"],
        "used_by": ["api"],
        "password_of": [],
    }
    assert (listed[1]["present"], listed[1]["findings"]) == (False, ["missing"])
    checked = project.run("check", "--json")
    assert checked.returncode == 1
    assert [other["name"] for other in json.loads(checked.stdout)["others"]] == ["stray"]


def test_revert_swaps_the_value_and_the_one_before(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("key", rotate_seconds=DAY, used_by=("api",))])
    assert "is missing" in fails(project, "revert", "key", "--yes")
    succeeds(project, "create")
    assert "has no previous value" in fails(project, "revert", "key", "--yes")
    aged(project.folder / "key", 3 * DAY)
    first = project.value("key")
    succeeds(project, "rotate", "key", "--yes")
    second = project.value("key")
    assert b"would revert key to the previous value" in succeeds(project, "revert", "key", "--dry-run").stderr
    assert "--yes" in fails(project, "revert", "key")
    assert project.value("key") == second
    assert b"restart api" in succeeds(project, "revert", "key", "--yes").stderr
    assert project.files() == {"key": first, "key.previous": second}
    assert mode(project.folder / "key") == 0o400
    # Its age is unchanged.
    assert "rotation overdue" in fails(project, "check")
    succeeds(project, "revert", "key", "--yes")
    assert project.files() == {"key": second, "key.previous": first}


def test_a_dry_run_touches_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("key"), Entry("token", "env", "SHOP_TOKEN")])
    done = succeeds(project, "create", "--dry-run", variables={"SHOP_TOKEN": MARKER})
    assert b"would create key with 32 random characters" in done.stderr
    assert b"would create token from the variable SHOP_TOKEN" in done.stderr
    assert not project.folder.parent.exists()
    succeeds(project, "create", "key")
    before = project.files()
    assert b"would rotate key" in succeeds(project, "rotate", "key", "--dry-run").stderr
    assert project.files() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of files")
@pytest.mark.parametrize(
    ("owner", "uid", "gid", "expected"),
    [
        (None, 0, int(NOBODY), 0o440),
        ("10001", 10001, 0, 0o400),
        ("10001:70", 10001, 70, 0o400),
        (":70", 0, 70, 0o440),
    ],
)
def test_files_are_readable_to_their_containers(
    tmp_path: Path, owner: str | None, uid: int, gid: int, expected: int
) -> None:
    project = Project(tmp_path, [Entry("key")], owner=owner)
    succeeds(project, "create")
    succeeds(project, "rotate", "key", "--yes")
    found = (project.folder / "key").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (uid, gid, expected)
    assert mode(project.folder / "key.previous") == 0o400
    succeeds(project, "check")
    assert "owner" in fails(project, "check", variables={"SECRETS_OWNER": "7"})
    succeeds(project, "create", variables={"SECRETS_OWNER": "7"})
    succeeds(project, "check", variables={"SECRETS_OWNER": "7"})


# --- killed commands, concurrent commands, confidentiality


@pytest.mark.parametrize("verb", ["create", "rotate", "revert"])
def test_killed_at_any_step_the_value_is_whole_and_the_next_run_goes_on(tmp_path: Path, verb: str) -> None:
    project = Project(tmp_path, [Entry("key", value="64")])
    kinds = set()
    if verb != "create":
        succeeds(project, "create")
        succeeds(project, "rotate", "key", "--yes")
    for step in count():
        before = project.files()
        with mortal(step) as killed:
            project.run(verb, "key", "--yes")
        kinds |= set(killed[:1])
        if not killed:
            break
        after = project.files()
        if verb == "create":
            assert len(after.get("key", bytes(64))) == 64
            continue
        assert len(after["key"]) == len(after["key.previous"]) == 64
        if after["key"] != before["key"]:
            assert after["key.previous"] == before["key"]
        assert mode(project.folder / "key") == 0o400
        # Any change removes leftovers; this one changes nothing else.
        succeeds(project, "create")
        assert project.files() == {name: after[name] for name in ("key", "key.previous")}
    assert kinds >= {"fsync", "fchmod", "replace", "mkstemp"}
    assert len(project.value("key")) == 64


def test_killed_while_a_value_comes_in_the_old_one_stays(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("key")])
    succeeds(project, "create")
    before = project.files()
    with waiting_for_input(project, "rotate") as process:
        assert process.stdin is not None
        [limit] = [line for line in _limits(process.pid) if line.startswith("Max core file size")]
        assert limit.split()[4] == "0"
        process.stdin.write(b"half of a va")
        process.stdin.flush()
        kill_group(process)
    assert project.value("key") == before["key"]
    succeeds(project, "create")
    assert project.files() == before


def test_a_second_one_at_the_same_time_is_refused(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("key")])
    with waiting_for_input(project, "create") as process:
        assert "another exporter secrets command is using" in fails(project, "create")
        process.communicate(b"value", timeout=20)
        assert process.returncode == 0
    assert project.files() == {"key": b"value"}


def test_a_value_shows_nowhere(tmp_path: Path) -> None:
    project = Project(tmp_path, [Entry("key", used_by=("api",)), Entry("token", "env", "SHOP_TOKEN")])
    marker = MARKER.encode()
    variables = {"SHOP_TOKEN": MARKER}
    with Watch(b"Marker-7f3a", project.temporary) as watch:
        said = apart(project, "create", "key", "--from-file", "-", given=marker + b"0")
        said += apart(project, "create", "token", variables=variables)
        said += converse(project, ["rotate", "key", "--prompt", "--yes"], [MARKER, MARKER])[1].encode()
    assert project.files() == {"key": marker, "key.previous": marker + b"0", "token": marker}
    assert watch.looked > 20
    assert watch.found == []
    for words in (["list"], ["check"], ["rotate", "token", "--yes"], ["revert", "key", "--yes"]):
        done = project.run(*words, variables=variables)
        said += done.stdout + done.stderr
    assert b"Marker-7f3a" not in said


# --- helpers


def apart(
    project: Project, *words: str, given: bytes = b"", variables: dict[str, str] | None = None
) -> bytes:
    """Return everything it prints in a separate process."""
    done = subprocess.run(
        project.command(*words),
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=project.environment(variables),
        timeout=60,
    )
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout


def succeeds(
    project: Project, *words: str, given: bytes = b"", variables: dict[str, str] | None = None
) -> Done:
    done = project.run(*words, given=given, variables=variables)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done


def fails(project: Project, *words: str, given: bytes = b"", variables: dict[str, str] | None = None) -> str:
    """Return its message, with status 1."""
    done = project.run(*words, given=given, variables=variables)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 1, said
    return said


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def aged(path: Path, seconds: int) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def converse(project: Project, words: list[str], answers: list[str]) -> tuple[int, str]:
    """Type each answer when a question appears; return its status and everything that the terminal showed."""
    with Terminal(project.command(*words), project.environment()) as terminal:
        for answer, question in zip(
            answers, (": ", "again: ") if len(answers) == 2 else ("? [y/N] ",), strict=True
        ):
            terminal.wait_for(question)
            terminal.type(f"{answer}\n")
        return terminal.status(), terminal.shown()


@contextlib.contextmanager
def waiting_for_input(project: Project, verb: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run that holds the lock and waits for the rest of a value; at the end it is killed if it is still
    running."""
    process = subprocess.Popen(
        project.command(verb, "key", "--yes", "--from-file", "-"),
        env=project.environment(),
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(lambda: is_locked(project.folder / ".lock"), "the lock to be held")
        yield process
    finally:
        if process.poll() is None:
            kill_group(process)
        assert process.stdin is not None
        process.stdin.close()


def _limits(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/limits").read_text().splitlines()


def is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
