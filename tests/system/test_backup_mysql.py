"""A MariaDB saved, drilled, restored and given another password by the generated scripts, in generated containers.

A service writes to one of its tables all the time: the backup of a busy table can be restored.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docker_engine import DockerEngine
from tests.system.local_images import import_mariadb
from tests.system.mariadb_site import DATABASES, ENVIRONMENT, PASSWORD, MariadbSite
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(600)
ANOTHER = f"another {PASSWORD}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbSite]:
    with (
        tempfile.TemporaryDirectory(prefix="docker-") as folder,  # must be short: it holds sockets
        DockerEngine(Path(folder)) as engine,
    ):
        import_mariadb(engine)
        site = MariadbSite(tmp_path_factory.mktemp("site") / "a b'c", engine)
        try:
            site.start()
            site.fill()
            time.sleep(3)  # only a table that was not written to for two seconds is certain
            yield site
        finally:
            site.destroy()


@pytest.fixture(scope="module")
def backup(site: MariadbSite) -> tuple[str, str]:
    """Return the id of a backup, and what was said, while a table was written to."""
    with busy(site):
        return site.backup()


@contextlib.contextmanager
def busy(site: MariadbSite) -> Iterator[None]:
    """Write to a table of each database until the end of the block: rows come and go."""
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            for name in DATABASES:
                site.sql("INSERT INTO busy VALUES (), (); DELETE FROM busy WHERE id % 3 = 1", name)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def test_a_busy_table_is_named_and_no_password_is_said(backup: tuple[str, str]) -> None:
    _, said = backup
    # The partitioned table is the other one: when it was written to is not known.
    assert said.count("written to during the dump: 2; a restore does not compare their rows") == len(
        DATABASES
    )
    assert PASSWORD not in said


def test_a_drill_restores_everything_and_touches_nothing(site: MariadbSite, backup: tuple[str, str]) -> None:
    before, running = site.contents(), sorted(site.engine.docker("ps", "-aq", "--no-trunc").split())
    volumes = sorted(site.engine.docker("volume", "ls", "-q").split())
    site.restore("--drill", backup[0], "db")
    drill = site.marker()["last_drill"]
    assert (drill["success"], drill["backup"]) == (True, backup[0])
    assert site.contents() == before
    assert sorted(site.engine.docker("ps", "-aq", "--no-trunc").split()) == running
    assert sorted(site.engine.docker("volume", "ls", "-q").split()) == volumes


def test_a_restore_puts_back_what_was_saved_also_after_everything_was_destroyed(site: MariadbSite) -> None:
    before = site.contents()
    made, _ = site.backup()
    site.sql("DROP TABLE empty; DELETE FROM parts; CREATE TABLE since (id INT);", DATABASES[0])
    assert "healthy" in site.restore(made, "db", "--yes")
    assert site.contents() == before
    site.destroy()
    site.write_password(ANOTHER)
    assert "healthy" in site.restore(made, "--yes")
    assert site.contents() == before
    assert (site.logs_in(ANOTHER), site.logs_in(PASSWORD)) == (True, False)


def test_its_password_is_rotated(site: MariadbSite) -> None:
    old = site.password_file.read_text()
    said = site.exporter("secrets", "rotate", "db_password", "-e", ENVIRONMENT, "--yes")
    new = site.password_file.read_text()
    assert new != old
    assert (site.logs_in(new), site.logs_in(old)) == (True, False)
    assert new not in said
    site.exporter("secrets", "create", "-e", ENVIRONMENT)  # that of the monitoring stack
    site.exporter("secrets", "check", "-e", ENVIRONMENT)
    site.compose("restart", "db")
    until(lambda: site.logs_in(new), "the server", 60)
    assert site.backup()[0]
