"""A Redis that is saved, and one that lies: its answers are never evaluated."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from exporter.backups.engines import redis
from exporter.backups.subjects import BackupsError
from tests.backups.copies import Copy
from tests.backups.local_host import LocalHost, place_of, written_answers

if TYPE_CHECKING:
    from pathlib import Path

RDB = b"REDIS0009 the dump"
# Each answer is in a separate file, named after the words of the command.
CLI = """
while [ $# -gt 0 ]; do
  case $1 in -e|--tls|--insecure) shift ;; -p|--user) shift 2 ;; *) break ;; esac
done
if [ -n "$PASSWORD_SEEN" ]; then printf '%s\\n' "$REDISCLI_AUTH" >"$PASSWORD_SEEN"; fi
file=$ANSWERS/$(printf '%s' "$*" | tr ' ' '-')
if [ "$1" = BGSAVE ]; then cp "$ANSWERS/LASTSAVE-then" "$ANSWERS/LASTSAVE"; fi
exec cat "$file"
"""
CHECK = "printf '[offset 0] Checking\\n[info] 12 keys read\\n[info] 3 expires\\n[info] 0 already expired\\n'"


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create the folder of an honest Redis's answers."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "dump.rdb").write_bytes(RDB)
    now = int(time.time())
    texts = {
        "LASTSAVE": f"{now - 10}\n",
        "LASTSAVE-then": f"{now}\n",
        "TIME": f"{now}\n123\n",
        "BGSAVE-SCHEDULE": "Background saving started\n",
        "INFO-server": "# Server\r\nredis_version:7.2.1\r\n",
        "INFO-persistence": "# P\r\nrdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:ok\r\n",
        "CONFIG-GET-dir": f"dir\n{data}\n",
        "CONFIG-GET-dbfilename": "dbfilename\ndump.rdb\n",
    }
    return written_answers(tmp_path, monkeypatch, texts)


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    host = LocalHost(tmp_path)
    host.program("redis-cli", CLI)
    host.program("redis-check-rdb", CHECK)
    return host


def test_a_save_that_redis_has_finished_is_copied_with_its_counts(answers: Path, host: LocalHost) -> None:
    copy = Copy()
    assert redis.save(place_of(host, "redis"), copy) == {"keys": 12, "expires": 3}
    assert copy.files == {("rdb", ""): RDB, ("counts", ""): b"keys 12\nexpires 3\n"}
    assert copy.facts == {
        "version": "7.2.1",
        "dir": str(answers.parent / "data"),
        "dbfilename": "dump.rdb",
    }
    assert sorted(path.name for path in (answers.parent / "data").iterdir()) == ["dump.rdb"]


LIES = {
    "LASTSAVE, evaluated": ("LASTSAVE", "BASH_VERSINFO[$(touch {mark})]\n"),
    "LASTSAVE after the save": ("LASTSAVE-then", "a[$(touch {mark})]\n"),
    "LASTSAVE, an expression": ("LASTSAVE", "1+1\n"),
    "LASTSAVE, negative": ("LASTSAVE", "-1\n"),
    "LASTSAVE, digits of another script": ("LASTSAVE", "١٢٣\n"),
    "LASTSAVE, endless": ("LASTSAVE", "9" * 5000 + "\n"),
    "LASTSAVE, large": ("LASTSAVE", "x" * 100_000),
    "TIME": ("TIME", "BASH_VERSINFO[$(touch {mark})]\n1\n"),
    "nothing": ("TIME", ""),
    "a folder that is a command": ("CONFIG-GET-dir", "dir\n$(touch {mark})\n"),
    "a folder above": ("CONFIG-GET-dir", "dir\n/data/../../etc\n"),
    "a folder of two lines": ("CONFIG-GET-dir", "dir\n/data\n; touch {mark}\n"),
    "a file that is a path": ("CONFIG-GET-dbfilename", "dbfilename\n../../etc/passwd\n"),
    "a file with a zero byte": ("CONFIG-GET-dbfilename", "dbfilename\ndump\0forged\n"),
    "a file that is a command": ("CONFIG-GET-dbfilename", "dbfilename\n`touch {mark}`\n"),
    "a version with a zero byte": ("INFO-server", "redis_version:7\0image\0evil\n"),
    "a version for a terminal": ("INFO-server", "redis_version:\x1b[2J7\n"),
    "a version that is large": ("INFO-server", "redis_version:" + "7" * 2000 + "\n"),
    "a refusal": ("BGSAVE-SCHEDULE", "$(touch {mark})\n"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_redis_that_lies_is_not_saved_and_runs_nothing(
    answers: Path, host: LocalHost, lie: str, tmp_path: Path
) -> None:
    file, answer = LIES[lie]
    mark = tmp_path / "ran"
    (answers / file).write_text(answer.replace("{mark}", str(mark)))
    said: list[str] = []
    with pytest.raises(BackupsError) as raised:
        redis.save(place_of(host, "redis", said), Copy())
    assert not mark.exists()
    shown = "\n".join([str(raised.value), *said])
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert len(shown) < 2000


@pytest.mark.parametrize(
    "checked",
    [
        "printf '[info] 12 keys read\\n'",
        "printf '[info] 12 keys read\\n[info] 1 keys read\\n[info] 3 expires\\n'",
        "printf '[info] a[$(id)] keys read\\n[info] 3 expires\\n'",
        "exit 1",
    ],
)
@pytest.mark.usefixtures("answers")
def test_counts_that_are_not_two_numbers_fail_the_backup(host: LocalHost, checked: str) -> None:
    host.program("redis-check-rdb", checked)
    with pytest.raises(BackupsError):
        redis.save(place_of(host, "redis"), Copy())


def test_a_save_that_is_under_way_is_waited_for_and_one_that_failed_fails_the_backup(
    answers: Path, host: LocalHost
) -> None:
    (answers / "INFO-persistence").write_text("rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:err\r\n")
    (answers / "LASTSAVE-then").write_text((answers / "LASTSAVE").read_text())
    with pytest.raises(BackupsError, match="could not save; see: docker logs"):
        redis.save(place_of(host, "redis"), Copy())


@pytest.mark.usefixtures("answers")
def test_a_save_that_never_ends_ends_with_the_run(answers: Path, host: LocalHost) -> None:
    (answers / "INFO-persistence").write_text("rdb_bgsave_in_progress:1\r\n")
    started = time.monotonic()
    with pytest.raises(BackupsError):
        redis.save(place_of(host, "redis", deadline=started + 1.5), Copy())
    assert time.monotonic() - started < 10


@pytest.mark.usefixtures("answers")
def test_the_password_is_read_in_the_container_and_is_in_no_argument(
    host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD_SEEN", str(tmp_path / "seen"))
    (host.secrets / "till").write_text("pa$$word `id`")
    place = place_of(host, "redis", secret="till")
    redis.version(place)
    assert (tmp_path / "seen").read_text() == "pa$$word `id`\n"
    assert "pa$$word" not in str(host.ran)


@pytest.mark.parametrize(
    ("saved", "there", "good"),
    [
        ((12, 3), (12, 3), True),
        ((12, 3), (10, 1), True),
        ((12, 3), (9, 0), True),
        ((12, 3), (11, 3), False),
        ((12, 3), (13, 4), False),
        ((12, 3), (0, 0), False),
    ],
)
def test_only_keys_that_expire_may_be_gone(
    saved: tuple[int, int], there: tuple[int, int], good: bool
) -> None:
    assert redis.same(saved, there) is good
