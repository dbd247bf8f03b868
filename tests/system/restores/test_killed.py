"""A restore killed at each of its steps: the next one completes it, and until then it is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.system.stopped_scripts import half_of, spoil

if TYPE_CHECKING:
    from tests.system.backing_up import Site
    from tests.system.stopped_scripts import Gate

pytestmark = pytest.mark.timeout(900)


STOPS = {
    "services stopped": ("documents", "restore place", ""),
    "database half restored": ("db", "*pg_restore*", "*.dump"),
    "files of Redis half there": ("cache", "*sh put /data*", "dump.rdb"),
    "volume half filled": ("documents", "*tar -C /volume -xpf -*", "volume.tar.gz"),
    "SQLite's file half there": ("drafts", "*restore /app/data/*", "database.gz"),
    "the rest being started": ("cache", "*up -d --no-build", ""),
}


@pytest.mark.parametrize("stop", STOPS)
def test_the_next_restore_completes_what_a_killed_one_left(
    site: Site, saved: tuple[str, dict[str, Any]], gate: Gate, stop: str
) -> None:
    backup, contents = saved
    name, at, pattern = STOPS[stop]
    half = half_of(site, backup, name, pattern) if pattern else 0
    spoil(site, name)
    with gate.start("restore", backup, name, "--yes", at=at, half=half) as script:
        assert site.told()["cut_off"] is False
        script.kill()
    cut_off = site.told()
    assert (cut_off["cut_off"], cut_off["backup"]) == (True, backup)
    assert cut_off["names"] == ("" if stop == "the rest being started" else name)
    assert not site.engine.docker("inspect", "-f", "{{if .State.Running}}yes{{end}}", site.container("api"))
    site.restore(backup, name, "--yes", **gate.variables())
    assert site.contents() == contents
    assert site.told() is None
    assert gate.leftovers() == set()
