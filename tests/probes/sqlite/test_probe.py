"""SQLite probes of files that are good, damaged, locked, in use, or missing."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import uvloop

from exporter.catalog.planning.specs import SqliteSpec
from exporter.probes.base import ProbeResult, Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.sqlite import check as sqlite_check
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.probes.base import Probe
    from tests.probes.prober import Prober

DEADLINE = 1.0
NOBODY = 65534
COMPANIONS = ("-wal", "-shm", "-journal")


def make(path: Path, *, wal: bool = False, rows: int = 200) -> Path:
    """Create a database of about `rows` KB and close it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {'wal' if wal else 'delete'}")
        connection.execute("PRAGMA synchronous = off")
        connection.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text)")
        connection.execute(
            "INSERT INTO note (text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "SELECT randomblob(900) FROM n",
            (rows,),
        )
        connection.commit()
    return path


def damage(path: Path) -> None:
    """Overwrite pages in the middle, as a bad disk does."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(os.urandom(5 * 4096))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path / "app.db")


@contextlib.contextmanager
def other_process(path: Path, statements: str) -> Iterator[subprocess.Popen[str]]:
    """Run `statements` with a connection `c` to the file, print `ready`, and keep it open until the input ends."""
    program = (
        "import sqlite3, sys, time, threading\n"
        f"c = sqlite3.connect({str(path)!r}, isolation_level=None, check_same_thread=False)\n"
        f"{statements}\nprint('ready', flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def checks() -> int:
    return sum(thread.name == "sqlite-check" for thread in threading.enumerate())


def looks() -> int:
    return sum(thread.name == "sqlite-look" for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """Check that no thread, no descriptor of the files, and no new file is left."""
    yield
    gc.collect()
    until(lambda: checks() + looks() == 0, "the threads to end", 5)
    held = [file.path for file in psutil.Process().open_files()]
    assert not [name for name in held if name.startswith(str(tmp_path))]


def checked(prober: Prober, probe: Probe, wanted: str = "store_integrity_ok") -> ProbeResult:
    """Return the first result that includes a check."""

    def run() -> ProbeResult | None:
        result = prober.wait(probe.run(time.monotonic() + 5))
        return result if wanted in result.facts or result.reason is Reason.CORRUPT else None

    found = until(run, "the check to end")
    assert found is not None
    return found


def test_good(prober: Prober, path: Path) -> None:
    before = time.time()
    probe = compile_probe(SqliteSpec(str(path)), Shared())
    first = prober.wait(probe.run(time.monotonic() + 5))
    assert first.success, first
    assert set(first.phases) == {"open", "query"}
    assert first.facts == {"store_size": path.stat().st_size, "store_wal_size": 0}, (
        "no integrity value before a check"
    )
    later = checked(prober, probe)
    assert later.success
    assert later.facts["store_integrity_ok"] == 1
    assert before <= float(later.facts["store_integrity_checked_at"]) <= time.time()
    assert 0 < float(later.facts["store_integrity_seconds"]) < 5
    again = prober.wait(probe.run(time.monotonic() + 5))
    assert again.facts == later.facts, "checked again too early"


def test_checked_again_in_time(prober: Prober, path: Path) -> None:
    probe = compile_probe(SqliteSpec(str(path), check_interval=0.1), Shared())
    first = checked(prober, probe).facts["store_integrity_checked_at"]

    def at() -> float:
        result = prober.wait(probe.run(time.monotonic() + 5))
        assert result.success
        return float(result.facts["store_integrity_checked_at"])

    until(lambda: at() > float(first), "the next check")


@pytest.mark.parametrize(
    "name", ["a b.db", "50%25.db", "what?mode=rwc.db", "#1.db", "ünï\u2028.db", "a'b;\"c.db"]
)
def test_names(prober: Prober, tmp_path: Path, name: str) -> None:
    path = make(tmp_path / name)
    result = prober.run(SqliteSpec(str(path)))
    assert result.success, result
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208 - only the names matter


@pytest.mark.parametrize("wal", [False, True], ids=["journal", "WAL"])
def test_damaged(prober: Prober, tmp_path: Path, wal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that the integrity check finds it, because page 1 is good, and that it also notices the repair."""
    monkeypatch.setattr(sqlite_check, "RECHECK_SECONDS", 0.1)
    path = make(tmp_path / "app.db", wal=wal)
    shutil.copy(path, tmp_path / "backup")
    damage(path)
    probe = compile_probe(SqliteSpec(str(path)), Shared())
    assert prober.wait(probe.run(time.monotonic() + 5)).success
    found = checked(prober, probe)
    assert found.reason is Reason.CORRUPT, found
    assert re.fullmatch(rf"PRAGMA quick_check of {path} found '.+' at \d\d:\d\d:\d\d UTC", found.detail)
    assert found.facts["store_integrity_ok"] == 0
    with path.open("r+b") as file:  # the same file
        file.write((tmp_path / "backup").read_bytes())
    until(lambda: prober.wait(probe.run(time.monotonic() + 5)).success, "the probe to heal")


def test_replaced_file_is_checked_at_once(prober: Prober, path: Path, tmp_path: Path) -> None:
    """Check that a result of the old file is not used for the new one."""
    make(tmp_path / "backup")
    damage(path)
    probe = compile_probe(SqliteSpec(str(path)), Shared())
    assert checked(prober, probe).reason is Reason.CORRUPT
    (tmp_path / "backup").replace(path)
    result = prober.wait(probe.run(time.monotonic() + 5))
    assert result.success
    assert "store_integrity_ok" not in result.facts
    assert checked(prober, probe).facts["store_integrity_ok"] == 1


def test_truncated(prober: Prober, path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)
    probe = compile_probe(SqliteSpec(str(path)), Shared())
    assert checked(prober, probe).reason is Reason.CORRUPT
    os.truncate(path, 512)
    assert prober.run(SqliteSpec(str(path))).reason is Reason.CORRUPT


def test_not_a_database(prober: Prober, tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    path.write_text("hello " * 1000)
    result = prober.run(SqliteSpec(str(path)))
    assert result.reason is Reason.CORRUPT
    assert result.detail.startswith(
        f"{path} is not a SQLite database, or its first page is damaged (SQLITE_NOTADB"
    )
    path.write_bytes(b"")
    result = prober.run(SqliteSpec(str(path)))
    assert result.reason is Reason.CORRUPT
    assert "is empty" in result.detail
    path.unlink()
    path.mkdir()
    result = prober.run(SqliteSpec(str(path)))
    assert result.reason is Reason.CORRUPT
    assert "is a folder" in result.detail
    path.rmdir()
    os.mkfifo(path)
    result = prober.run(SqliteSpec(str(path)))
    assert result.reason is Reason.CORRUPT
    assert result.detail == f"{path} is not a regular file"


def test_missing(prober: Prober, tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    result = prober.run(SqliteSpec(str(path)))
    assert result.reason is Reason.MISSING
    assert result.detail == f"{path} is missing"
    assert not path.exists()
    result = prober.run(SqliteSpec(str(tmp_path / "volume" / "app.db")))
    assert result.reason is Reason.MISSING
    assert "mount the volume there or set exporter.volumes" in result.detail


def test_path_that_is_none() -> None:
    with pytest.raises(ValueError, match="NUL"):
        compile_probe(SqliteSpec("/a\0b"), Shared())


@contextlib.contextmanager
def as_ordinary_user() -> Iterator[Path]:
    """Run as a user who can read but not write the folder, because root can read and write everything."""
    if os.geteuid() != 0:
        pytest.skip("needs root to switch between two users")
    folder = Path(tempfile.mkdtemp(prefix="sqlite-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


def test_permission(prober: Prober) -> None:
    with as_ordinary_user() as folder:
        path = make(folder / "app.db")
        path.chmod(0o600)
        os.seteuid(NOBODY)
        result = prober.run(SqliteSpec(str(path)))
        assert result.reason is Reason.PERMISSION, result
        assert result.detail.startswith(f"the exporter's user has no permission to read {path}")
        os.seteuid(0)
        folder.chmod(0o700)
        os.seteuid(NOBODY)
        result = prober.run(SqliteSpec(str(path)))
        assert result.reason is Reason.PERMISSION, result


@pytest.mark.parametrize("wal", [False, True], ids=["journal", "WAL"])
def test_folder_that_may_only_be_read(prober: Prober, wal: bool) -> None:
    """Check a read-only folder, as recommended for the exporter's volumes, with the service running and stopped."""
    with as_ordinary_user() as folder:
        path = make(folder / "app.db", wal=wal)
        os.seteuid(NOBODY)
        probe = compile_probe(SqliteSpec(str(path), check_interval=0.05), Shared())
        assert checked(prober, probe).facts["store_integrity_ok"] == 1
        os.seteuid(0)
        with other_process(path, "c.execute('UPDATE note SET text = 1 WHERE id < 100')"):
            os.seteuid(NOBODY)
            result = prober.wait(probe.run(time.monotonic() + 5))
            assert result.success, result
            assert (float(result.facts["store_wal_size"]) > 0) is wal
            since = time.time()
            until(
                lambda: checked(prober, probe).facts["store_integrity_checked_at"] > since,  # type: ignore[operator] # a number
                "a check beside the service",
            )
            os.seteuid(0)


def test_locked(prober: Prober, path: Path) -> None:
    with other_process(path, "c.execute('BEGIN EXCLUSIVE')"):
        result = prober.run(SqliteSpec(str(path)), DEADLINE)
        assert result.reason is Reason.LOCKED, result
        assert f"another process kept {path} locked until the deadline" in result.detail
        assert result.facts["store_size"] == path.stat().st_size
    assert prober.run(SqliteSpec(str(path))).success


def test_lock_that_is_released_in_time(prober: Prober, path: Path) -> None:
    lock = "c.execute('BEGIN EXCLUSIVE'); threading.Timer(0.3, c.execute, ['COMMIT']).start()"
    with other_process(path, lock):
        result = prober.run(SqliteSpec(str(path)))
    assert result.success, result
    assert result.phases["query"] > 0.1


def test_interrupted_transaction(prober: Prober, path: Path) -> None:
    """Check a leftover journal, which only a process with write access can roll back."""
    many = "c.execute('PRAGMA cache_size = 5'); c.execute('BEGIN'); c.execute('UPDATE note SET text = randomblob(900)')"
    with other_process(path, many):
        pass
    result = prober.run(SqliteSpec(str(path)), DEADLINE)
    assert result.reason is Reason.ANSWER, result
    assert "a process died while writing" in result.detail
    make_whole = sqlite3.connect(path)
    make_whole.execute("SELECT count(*) FROM note").fetchone()
    make_whole.close()
    assert prober.run(SqliteSpec(str(path))).success


def test_write_ahead_log_without_its_writer(prober: Prober, tmp_path: Path) -> None:
    """Check a killed service that left its log: it is read as it is, and no file is created."""
    path = make(tmp_path / "app.db", wal=True)
    with other_process(path, "c.execute('DELETE FROM note WHERE id = 1')"):
        pass
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in os.listdir(tmp_path)}  # noqa: PTH208
    assert set(before) == {"app.db", "app.db-wal", "app.db-shm"}
    result = prober.run(SqliteSpec(str(path)))
    assert result.success, result
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in os.listdir(tmp_path)} == before  # noqa: PTH208
    (tmp_path / "app.db-shm").unlink()
    result = prober.run(SqliteSpec(str(path)), DEADLINE)
    assert result.reason is Reason.ANSWER
    assert "is missing" in result.detail


WRITING = """
def write():
    d = sqlite3.connect({!r}, isolation_level=None, timeout=0)
    while True:
        d.execute('UPDATE note SET text = randomblob(900) WHERE id = abs(random() % 200)')
        {}
threading.Thread(target=write, daemon=True).start()
"""
"""Never wait: a reader's lock at the wrong moment ends it, and fails the test."""


@pytest.mark.parametrize("wal", [False, True], ids=["journal", "WAL"])
def test_database_that_is_written(prober: Prober, tmp_path: Path, wal: bool) -> None:
    """Check that the probe gets its answers and checks report no false damage. In WAL mode the writer is not
    disturbed."""
    path = make(tmp_path / "app.db", wal=wal)
    probe = compile_probe(SqliteSpec(str(path), check_interval=0), Shared())
    writing = WRITING.format(str(path), "" if wal else "time.sleep(0.002)")
    if not wal:
        writing = writing.replace("timeout=0", "timeout=5")
    checked_at: set[float | str] = set()

    def run() -> bool:
        result = prober.wait(probe.run(time.monotonic() + 5))
        assert result.success, result
        if "store_integrity_checked_at" in result.facts:
            checked_at.add(result.facts["store_integrity_checked_at"])
        return len(checked_at) >= 10

    with other_process(path, writing) as writer:
        until(run, "ten checks")
        until(lambda: path.with_name("app.db-wal").exists() is wal, "the log")
        assert writer.poll() is None


def test_file_of_wal_mode_that_nobody_has_open(prober: Prober, tmp_path: Path) -> None:
    """Check that SQLite does not create -wal and -shm, which would belong to the exporter's user."""
    path = make(tmp_path / "app.db", wal=True)
    probe = compile_probe(SqliteSpec(str(path)), Shared())
    result = checked(prober, probe)
    assert result.facts["store_integrity_ok"] == 1
    assert os.listdir(tmp_path) == ["app.db"]  # noqa: PTH208


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("large") / "large.db", rows=200_000)


def test_large(large: Path) -> None:
    """Check that the probe stays quick and the loop responsive while the check reads 200 MB."""
    worst = 0.0

    async def watch_loop() -> None:
        nonlocal worst
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.002)
            worst = max(worst, time.monotonic() - before - 0.002)

    async def main() -> tuple[int, float]:
        probe = compile_probe(SqliteSpec(str(large)), Shared())
        watching = asyncio.create_task(watch_loop())
        runs_beside = 0
        while True:
            result = await probe.run(time.monotonic() + 5)
            assert result.success, result
            if "store_integrity_ok" in result.facts:
                watching.cancel()
                return runs_beside, float(result.facts["store_integrity_seconds"])
            runs_beside += checks()

    runs_beside, seconds = uvloop.run(main())
    assert large.stat().st_size > 150_000_000
    assert runs_beside > 5
    assert worst < seconds / 2


def test_sparse(prober: Prober, path: Path) -> None:
    """Check a file that is larger than its database; reading its state is as quick as for any file."""
    os.truncate(path, 2 * 1024**3)
    result = prober.run(SqliteSpec(str(path)))
    assert result.success, result
    assert result.facts["store_size"] == 2 * 1024**3
    assert result.duration_seconds < 0.5


def test_dropped_probe_ends_its_check(prober: Prober, large: Path) -> None:
    probes = [compile_probe(SqliteSpec(str(large), check_interval=0), Shared())]

    def under_way() -> bool:
        assert prober.wait(probes[0].run(time.monotonic() + 5)).success
        return checks() == 1

    until(under_way, "a check to begin")
    probes.clear()
    gc.collect()
    until(lambda: checks() == 0, "the check to end", 1)


def test_link(prober: Prober, tmp_path: Path) -> None:
    """Check that the log is found next to the file itself, not next to a link to it."""
    path = make(tmp_path / "app.db", wal=True)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with other_process(path, "c.execute('DELETE FROM note')"):
        result = prober.run(SqliteSpec(str(link)))
        assert result.success, result
        assert result.facts["store_wal_size"] == path.with_name("app.db-wal").stat().st_size > 0


def test_process_ends_in_the_middle_of_a_check(large: Path) -> None:
    program = (
        "import asyncio, time\n"
        "from exporter.catalog.planning.specs import SqliteSpec\n"
        "from exporter.probes.compile import Shared, compile_probe\n"
        f"probe = compile_probe(SqliteSpec({str(large)!r}), Shared())\n"
        "print(asyncio.run(probe.run(time.monotonic() + 5)).success)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_cancelled(path: Path) -> None:
    async def cancel_after(steps: int) -> None:
        running = asyncio.create_task(
            compile_probe(SqliteSpec(str(path)), Shared()).run(time.monotonic() + 30)
        )
        for _ in range(steps):
            await asyncio.sleep(0 if steps < 10 else 0.0003)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    async def main() -> None:
        for steps in range(20):
            await cancel_after(steps)

    uvloop.run(main())


@contextlib.contextmanager
def dead_disk(folder: Path) -> Iterator[None]:
    """Mount a FUSE file system at `folder` that never answers, because nobody reads its requests."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"this test needs /dev/fuse: {error.strerror}")
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    try:
        if libc.mount(b"dead", bytes(folder), b"fuse", 0, options) != 0:
            pytest.skip(f"cannot mount a file system: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            os.close(device)  # the kernel now fails waiting calls
            device = -1
            assert libc.umount2(bytes(folder), 2) == 0
    finally:
        if device >= 0:
            os.close(device)


def test_disk_that_does_not_answer(prober: Prober, tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    folder.mkdir()
    probe = compile_probe(SqliteSpec(str(folder / "app.db")), Shared())
    with dead_disk(folder):
        first = prober.wait(probe.run(time.monotonic() + 0.2))
        assert first.reason is Reason.TIMEOUT
        assert "opening the file" in first.detail
        for _ in range(3):
            later = prober.wait(probe.run(time.monotonic() + 0.2))
            assert later.reason is Reason.TIMEOUT
            assert "waiting for the file system, which has not answered for" in later.detail
            assert looks() == 1, "threads must not accumulate"
    make(folder / "app.db")
    until(lambda: prober.wait(probe.run(time.monotonic() + 5)).success, "the disk to be back")
