"""Events of containers are counted once, across re-creations, and never from before the daemon watched."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from exporter.containers import history as module
from exporter.containers.history import KEPT_SECONDS, History, Tally, failures_of
from exporter.containers.start_failures import StartFailure, cause_of, reason_of
from tests.containers.making import container

if TYPE_CHECKING:
    from exporter.containers.model import Container

ONE = ("web", "1")
SLOT = "shop/web/1"
RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "


def life(
    name: str = "a", at: float = 1.0, restarts: int = 0, state: str = "running", **values: object
) -> Container:
    values.setdefault("slot", SLOT)
    return container(name, state, created=at, restarts=restarts, **values)  # type: ignore[arg-type] # for Status


def told(*steps: Container | str) -> History:
    """Return the history of seen containers; a string is the id of a removed one."""
    history = History()
    for step in steps:
        if isinstance(step, str):
            history.removed(step.ljust(64, "-"))
        else:
            history.seen(step)
    return history


@pytest.mark.parametrize(
    ("steps", "restarts"),
    [
        ([life()], 0),
        ([life(), life()], 0),
        ([life(), life(state="paused"), life()], 0),
        ([life(), life(at=2, restarts=1)], 1),
        ([life(), life(restarts=1, state="restarting"), life(at=2, restarts=1)], 1),
        ([life(), life(at=9, restarts=5)], 5),
        # Restarted by hand: the engine resets its count.
        ([life(), life(at=9, restarts=5), life(at=10)], 6),
        # It was already restarting before it was first seen.
        ([life(restarts=3)], 3),
        ([life(restarts=3, existed=True)], 0),
        ([life(restarts=3, existed=True), life(at=2, restarts=4)], 1),
        # up --force-recreate several times, or one Swarm task after another
        ([life("a"), "a", life("b", 2), "b", life("c", 3)], 2),
        ([life("a"), life("b", 2), life("c", 3, restarts=2)], 4),
        ([life("a", existed=True), "a", life("b", 2)], 1),
        # It was re-created and could not be started, then it could.
        ([life("a"), "a", life("b", state="created"), life("b", 5)], 1),
        ([life("a", state="created"), life("a", 3)], 0),
        # An unreachable engine does not count as a removal.
        ([life("a"), life("a")], 0),
    ],
)
def test_restarts_of_a_replica(steps: list[Container | str], restarts: int) -> None:
    assert told(*steps).tallies == {ONE: Tally(restarts, 0, lived=True)}


def test_replicas_and_services_are_told_apart() -> None:
    history = told(life("a"), life("b", slot="shop/web/2"), life("c", slot=None), life("d", service=None))
    assert history.tallies == {key: Tally(lived=True) for key in (ONE, ("web", "2"), ("web", None))}


@pytest.mark.parametrize(
    ("steps", "kills"),
    [
        ([life(oom_events=0), life(oom_events=2)], 2),
        ([life(oom_events=1)], 1),
        ([life(oom_events=1), "a", life("b", oom_events=1)], 2),
        ([life(oom_events=1), life(oom_events=1)], 1),
        ([life(existed=True, oom_events=0), life(existed=True, oom_events=1)], 1),
    ],
)
def test_kills_of_a_replica(steps: list[Container | str], kills: int) -> None:
    assert told(*steps).tallies[ONE].oom_kills == kills


def test_only_what_is_new_to_every_scraper_is_newborn() -> None:
    history = History()
    assert history.seen(life("a"))
    assert not history.seen(life("a"))
    assert not history.seen(life("b", existed=True))
    assert history.seen(life("stranger", service=None))


def test_failed_starts_are_counted_and_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    no_command = RUNC + 'exec: "x\x1b[31m": executable file not found in $PATH: unknown'
    failed = life("a", state="created", error=no_command, exit_code=127)
    history = told(failed, failed, life("a", 2), life("b", state="created", error="network x not found"))
    assert history.start_failures == {"web": Counter(command=1, network=1)}
    assert failures_of(history, "web")["port"] == 0
    assert failures_of(history, "other").keys() == set(StartFailure)
    assert caplog.messages == [
        (
            "container a of web could not be started (command): "
            "'exec: \"x\\x1b[31m\": executable file not found in $PATH: unknown'"
        ),
        "container b of web could not be started (network): 'network x not found'",
    ]


def test_a_start_that_had_failed_before_is_not_counted() -> None:
    failed = life("a", state="created", error="x", existed=True)
    history = told(failed, failed)
    assert failures_of(history, "web") == dict.fromkeys(StartFailure, 0)


def test_a_replica_is_forgotten_long_after_its_last_container_and_not_while_the_engine_is_away() -> None:
    now = 0.0
    history = History(clock=lambda: now)
    history.seen(life("a"))
    history.seen(life("b", slot="shop/web/2"))
    now = 10 * KEPT_SECONDS
    history.seen(life("c", slot="shop/web/3"))
    assert len(history.tallies) == 3
    history.there_are([life("a").identity.id, life("c").identity.id])
    now += KEPT_SECONDS - 1
    history.seen(life("a"))
    assert len(history.tallies) == 3
    now += 2
    history.seen(life("a"))
    assert history.tallies.keys() == {ONE, ("web", "3")}


def test_labels_that_anybody_wrote_make_no_series_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REPLICAS", 3)
    history = told(*(life(f"c{n}", slot=f"shop/web/{n}") for n in range(50)))
    assert len(history.tallies) == 4
    assert history.tallies["web", None].restarts == 46


PORT = "driver failed programming external connectivity on endpoint p2 (a9fd4c): "


@pytest.mark.parametrize(
    ("error", "reason", "cause"),
    [
        (RUNC + 'exec: "mount": executable file not found in $PATH: unknown', "command", 'exec: "mount"'),
        (RUNC + 'exec: "/tmp": permission denied: unknown', "command", 'exec: "/tmp"'),
        ("crun: executable file `x` not found in $PATH: No such file", "command", "executable file"),
        ("unable to find user nosuch: no matching entries in passwd file", "command", "unable to find"),
        (PORT + "Bind for 0.0.0.0:80 failed: port is already allocated", "port", "Bind for"),
        (PORT + "Error starting userland proxy: listen tcp4: bind: address already in use", "port", "listen"),
        (
            RUNC + 'error during container init: error mounting "/a" to rootfs at "/b"',
            "mount",
            "error mounting",
        ),
        ("network nn not found", "network", "network nn"),
        (
            'error gathering device information while adding custom device "/dev/x"',
            "device",
            "error gathering",
        ),
        ("write /x: no space left on device", "resources", "write"),
        ("No such image: x:1", "image", "No such"),
        (RUNC.strip(), "runtime", "unable to start container process:"),
        ("gremlins", "other", "gremlins"),
        ("", "other", ""),
        ("runc: " * 5000, "runtime", "runc: "),
        (PORT, "network", PORT),
    ],
)
def test_reasons(error: str, reason: str, cause: str) -> None:
    assert reason_of(error) == reason
    assert cause_of(error).startswith(cause)
