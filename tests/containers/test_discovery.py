"""Discovery with scripted engine answers: streams that end, refusals, answers of wrong types."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from exporter.containers import discovery, event_stream
from exporter.containers.mapping import ServiceMapping
from tests.containers.scripted_engine import (
    CONTAINERS,
    EVENTS,
    INSPECT,
    ScriptedEngine,
    container_number,
    event_of,
    inspect_of,
)
from tests.containers.watching import Watching
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE, TWO = container_number(1), container_number(2)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    with ScriptedEngine(tmp_path / "e.sock") as engine:
        engine.add(1, 2)
        yield engine


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, seconds in (
        (discovery, "RELIST_GAP", 0.1),
        (discovery, "RETRY_WAIT", 0.1),
        (discovery, "STUCK_WAIT", 0.2),
        (discovery, "FIRST_WAIT", 0.05),
        (event_stream, "FIRST_WAIT", 0.05),
        (event_stream, "LONGEST_WAIT", 0.2),
    ):
        monkeypatch.setattr(module, name, seconds)


@pytest.mark.usefixtures("quick")
def test_streams_that_end_lose_no_container(engine: ScriptedEngine) -> None:
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        for count in range(1, 6):
            until(engine.streams, "a stream")
            engine.containers[ONE] = inspect_of(ONE, RestartCount=count)
            engine.cut()
            watching.until_seen(ONE, lambda seen, count=count: seen.status.restarts == count, "seen anew")  # type: ignore[misc] # a default argument
            assert watching.discovery.events.lost == count
        assert watching.discovery.up
        assert all(container is not None for _, container in watching.changes)


@pytest.mark.usefixtures("quick")
def test_what_happened_between_two_streams_is_asked_for(engine: ScriptedEngine) -> None:
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        until(engine.streams, "a stream")
        engine.replayed = [event_of("oom", ONE), event_of("destroy", TWO)]
        del engine.containers[TWO]
        engine.cut()
        watching.until_seen(ONE, lambda seen: seen.oom_events == 1, "counted")
        watching.until_gone(TWO)
        engine.cut()
        until(lambda: watching.discovery.events.lost == 2, "the second end")
        until(lambda: engine.asked[EVENTS] > 2, "the third stream")
        watching.until_seen(ONE, lambda seen: seen.oom_events == 1, "not counted twice")


@pytest.mark.usefixtures("quick")
def test_what_no_event_told_is_found_now_and_then(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "RELIST_SECONDS", 0.2)
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        del engine.containers[TWO]
        engine.add(3)
        engine.containers[ONE] = inspect_of(ONE, State__Status="paused")
        watching.until_gone(TWO)
        watching.until_seen(container_number(3), bool, "there")
        watching.until_seen(ONE, lambda seen: seen.status.state == "paused", "paused")


@pytest.mark.usefixtures("quick")
def test_an_engine_that_is_gone_is_lost_at_once(engine: ScriptedEngine) -> None:
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        engine.stop()
        watching.until_down(5)
        assert watching.discovery.containers == {}
        engine.start()
        watching.until_up()
        assert watching.discovery.containers.keys() == {ONE, TWO}


@pytest.mark.usefixtures("quick")
def test_what_is_known_is_not_kept_for_ever(engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate an engine that answers pings but sends no more events."""
    monkeypatch.setattr(event_stream, "STALE_SECONDS", 0.5)
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        until(engine.streams, "a stream")
        engine.refuse(EVENTS)
        engine.cut()
        assert watching.discovery.containers
        watching.until_down(5)
        until(lambda: "EVENTS=1" in watching.discovery.error, "the reason")


def test_connections_that_a_proxy_closes_after_each_answer(engine: ScriptedEngine) -> None:
    engine.closes = True
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        assert watching.discovery.containers.keys() == {ONE, TWO}


EVENT = event_of("start", ONE)
BAD_EVENTS = {
    "an id that is a list": EVENT | {"Actor": {"ID": []}},
    "an id that is a path": EVENT | {"Actor": {"ID": "../info"}},
    "an id of surrogates": EVENT | {"Actor": {"ID": "\ud800"}},
    "no actor": EVENT | {"Actor": None},
    "an actor that is a list": EVENT | {"Actor": [ONE]},
    "an action that is a number": EVENT | {"Action": 1},
    "no action": EVENT | {"Action": None},
    "a type that is an object": EVENT | {"Type": {}},
    "a time as text": EVENT | {"timeNano": "1796044695736984703"},
    "a time below 0": EVENT | {"timeNano": -1},
    "a time that is no whole number": EVENT | {"timeNano": 1.5},
    "a time that is true": EVENT | {"timeNano": True},
    "a time beyond all clocks": EVENT | {"timeNano": 10**30},
    "a time of next year": EVENT | {"timeNano": EVENT["timeNano"] + 366 * 86400 * 10**9},
    "a network's container of a wrong type": EVENT
    | {"Type": "network", "Action": "disconnect", "Actor": {"Attributes": {"container": 5}}},
    "attributes that are a list": EVENT
    | {"Type": "network", "Action": "disconnect", "Actor": {"Attributes": []}},
    "a list": [EVENT],
    "a number": 5,
    "NaN": b'{"timeNano": NaN}\n',
    "a huge number": b'{"timeNano": 1e400}\n',
    "a number of many digits": b'{"timeNano": ' + b"9" * 5000 + b"}\n",
    "a deep nesting": b'{"Actor": ' + b"[" * 200_000 + b"\n",
    "many values": b"[" + b"{}," * 200_000 + b"1]\n",
    "no JSON": b"hello\n",
    "bytes that are not UTF-8": b"\xff\xfe{\n",
    "a line that is too long": b'{"x": "' + b"x" * 1_100_000 + b'"}\n',
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("bad", BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_an_event_that_cannot_be_read_is_skipped_and_counted(engine: ScriptedEngine, bad: object) -> None:
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        until(engine.streams, "a stream")
        listed = engine.asked[CONTAINERS]
        engine.emit(bad)
        until(lambda: watching.discovery.events.skipped == 1, "the count")
        until(lambda: engine.asked[CONTAINERS] > listed, "another look at all: nobody knows what it was of")
        engine.add(3)
        engine.emit(event_of("create", container_number(3)))
        watching.until_seen(container_number(3), bool, "there")
        assert watching.discovery.events.lost == 0
        assert all(container is not None for _, container in watching.changes)


def test_events_in_podmans_words(engine: ScriptedEngine) -> None:
    engine.version["Components"] = [{"Name": "Podman Engine"}, {"Name": "Conmon"}]
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        until(engine.streams, "a stream")
        seen = watching.until_seen(ONE, bool, "there")
        assert seen.identity.cgroup == f"/libpod_parent/libpod-{ONE}"
        engine.containers[ONE] = inspect_of(ONE, State__Status="stopped", State__ExitCode=3)
        engine.emit(event_of("died", ONE))
        ended = watching.until_seen(ONE, lambda seen: seen.status.state == "exited", "ended")
        assert ended.status.exit_code == 3
        del engine.containers[TWO]
        engine.emit(event_of("remove", TWO))
        watching.until_gone(TWO)


@pytest.mark.parametrize(
    ("named", "state"),
    [("configured", "created"), ("initialized", "created"), ("stopping", "running"), ("stopped", "exited")],
)
def test_states_of_podman(engine: ScriptedEngine, named: str, state: str) -> None:
    engine.containers[ONE] = inspect_of(ONE, State__Status=named)
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        seen = watching.until_seen(ONE, bool, "there")
        assert seen.status.state == state
        assert (seen.status.pid == 0) is (state == "created")


BAD_INSPECTS: dict[str, Any] = {
    "a list": [],
    "null": b"null",
    "no JSON": b"hello",
    "cut off": b'{"Id": "',
    "a deep nesting": b"[" * 100_000,
    "many values": b"[" + b"{}," * 400_000 + b"1]",
    "too long": b'{"Id": "' + b"x" * 5_000_000 + b'"}',
    "another container": inspect_of(TWO),
    "an id of a wrong type": inspect_of(ONE, Id=[ONE]),
    "a name of a wrong type": inspect_of(ONE, Name=["/x"]),
    "labels that are a list": inspect_of(ONE, Config__Labels=["a"]),
    "a label that is a number": inspect_of(ONE, Config__Labels={"exporter.service": 5}),
    "a state that is text": inspect_of(ONE, State="running"),
    "a state that is not known": inspect_of(ONE, State__Status="on fire \x1b[2J"),
    "a health that is not known": inspect_of(ONE, State__Health={"Status": "pale"}),
    "a health that is a list": inspect_of(ONE, State__Health=["healthy"]),
    "a process as text": inspect_of(ONE, State__Pid="42"),
    "a process that none is": inspect_of(ONE, State__Pid=2**40),
    "an exit code that is a list": inspect_of(ONE, State__Status="exited", State__ExitCode=[1]),
    "a flag that is a number": inspect_of(ONE, State__OOMKilled=1),
    "a time that is a number": inspect_of(ONE, State__StartedAt=1796044695),
    "a time that is none": inspect_of(ONE, State__StartedAt="yesterday"),
    "restarts below 0": inspect_of(ONE, RestartCount=-1),
    "restarts that are true": inspect_of(ONE, RestartCount=True),
    "restarts of many digits": json.dumps(inspect_of(ONE)).replace(
        '"RestartCount": 0', f'"RestartCount": {"9" * 400}'
    ),
    "a limit that is infinite": json.dumps(inspect_of(ONE)).replace('"Memory": 0', '"Memory": 1e400'),
    "a limit that is not a number": json.dumps(inspect_of(ONE)).replace('"Memory": 0', '"Memory": NaN'),
    "a network mode that is an object": inspect_of(ONE, HostConfig__NetworkMode={}),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("bad", BAD_INSPECTS.values(), ids=BAD_INSPECTS)
def test_one_container_that_cannot_be_read_hides_no_other(
    engine: ScriptedEngine, bad: Any, caplog: pytest.LogCaptureFixture
) -> None:
    engine.containers[ONE] = bad.encode() if isinstance(bad, str) else bad
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        assert watching.discovery.containers.keys() == {TWO}
        assert (watching.discovery.unknown, watching.discovery.failures) == (1, 1)
        engine.containers[ONE] = inspect_of(ONE)
        watching.until_seen(ONE, bool, "known once it can be read")
        assert watching.discovery.unknown == 0
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said.startswith(f"nothing is known of the container {ONE[:12]}: ")
    assert said.isprintable()
    assert len(said) < 400


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("labels", "known"),
    [
        ({"exporter.service": "web"}, {"api"}),
        ({"com.docker.compose.service": "web"}, {"api"}),
        ({}, {"web", "api"}),  # not in the catalog
        ({"exporter.service": "other"}, {"web", "api"}),
        # The owner cannot be determined.
        (None, set()),
        (["a"], set()),
        ({"exporter.service": 5}, set()),
    ],
)
def test_a_container_that_cannot_be_read_is_of_the_service_that_the_list_names(
    engine: ScriptedEngine, labels: Any, known: set[str]
) -> None:
    engine.containers[ONE] = b"null"
    engine.answers[CONTAINERS] = lambda _: (
        200,
        json.dumps([{"Id": ONE, "Labels": labels}, {"Id": TWO, "Labels": {}}]).encode(),
    )
    with Watching(engine.endpoint, ServiceMapping(("web", "api"))) as watching:
        watching.until_up()
        assert watching.discovery.containers.keys() == {TWO}
        assert {name for name in ("web", "api") if watching.discovery.knows(name)} == known
        assert watching.discovery.existing == {ONE, TWO}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "hostile",
    [
        inspect_of(ONE, Config__Labels={"x": "y" * 1_000_000, "exporter.service": "\ud800"}),
        inspect_of(ONE, Config__Labels={str(number): "," * 10 for number in range(30_000)}),
        inspect_of(ONE, Name="/\x1b[2J" + "x" * 100_000, State__Error="\x9b1m" + "y" * 1_000_000),
        inspect_of(ONE, HostConfig__CgroupParent="../../*\0" * 10_000),
    ],
    ids=["a label of a megabyte", "many labels", "words", "a cgroup"],
)
def test_what_a_container_may_have_is_bounded_and_plain(engine: ScriptedEngine, hostile: Any) -> None:
    engine.containers[ONE] = hostile
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        seen = watching.until_seen(ONE, bool, "there")
        for text in (seen.identity.name, seen.status.error):
            assert text.isprintable()
            assert len(text) < 3000
        assert len(seen.identity.cgroup) < 3000


@pytest.mark.usefixtures("quick")
def test_a_refused_inspect_is_told_once_with_what_to_allow(
    engine: ScriptedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.add(*range(3, 30))
    engine.refuse(INSPECT)
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        assert watching.discovery.unknown == 29
        asked = engine.asked[INSPECT]
        until(lambda: engine.asked[INSPECT] > asked + 29, "another attempt")
        (said,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
        assert "GET /containers/{id}/json must be allowed" in said.getMessage()
        assert "CONTAINERS=1" in said.getMessage()
        assert list(watching.engine.refused) == [INSPECT]
        del engine.answers[INSPECT]
        until(lambda: len(watching.discovery.containers) == 29, "all of them")
        assert watching.engine.refused == {}
        assert watching.discovery.unknown == 0


@pytest.mark.parametrize(
    ("endpoint", "permission"), [("/info", "INFO=1"), ("/version", "VERSION=1"), (CONTAINERS, "CONTAINERS=1")]
)
def test_what_else_can_be_refused(engine: ScriptedEngine, endpoint: str, permission: str) -> None:
    engine.refuse(endpoint)
    with Watching(engine.endpoint) as watching:
        until(lambda: permission in watching.discovery.error, "the reason")
        assert not watching.discovery.up


@pytest.mark.usefixtures("quick")
def test_one_failed_inspect_keeps_what_is_known(engine: ScriptedEngine) -> None:
    fail = [(500, b"{}"), (504, b"<h1>Gateway Time-out</h1>")]
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        until(engine.streams, "a stream")
        for count, answer in enumerate(fail, 1):
            answers = [answer]
            engine.answers[INSPECT] = lambda _, answers=answers: answers.pop() if answers else None  # type: ignore[misc] # a default argument
            engine.containers[ONE] = inspect_of(ONE, RestartCount=count)
            engine.emit(event_of("restart", ONE))
            watching.until_seen(ONE, lambda seen, count=count: seen.status.restarts == count, "anew")  # type: ignore[misc] # a default argument
        assert watching.discovery.failures == 2
        assert all(container is not None for _, container in watching.changes)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b"[1]",
        b'["x"]',
        b'[{"Id": 5}]',
        b'[{"Id": "../../info"}]',
        b"[{}]",
        b"[[]]",
        b'[{"Id": "a"}',
        b'[{"Id": "a"}] []',
        b"[" * 200_000,
        b"[" + b'{"x":[' * 100_000,
        b"[{" + b'"":0,' * 400_000 + b"}]",
    ],
)
def test_a_list_that_is_not_as_expected(engine: ScriptedEngine, body: bytes) -> None:
    engine.answers[CONTAINERS] = lambda _: (200, body)
    with Watching(engine.endpoint) as watching:
        until(lambda: "answer to /containers/json" in watching.discovery.error, "the reason")
        assert watching.discovery.containers == {}


@pytest.mark.usefixtures("quick")
def test_a_long_list_of_long_containers(engine: ScriptedEngine) -> None:
    label = "y," * 500_000
    told = [{"Id": each, "Labels": {"x": label}} for each in engine.containers] * 6
    engine.answers[CONTAINERS] = lambda _: (200, json.dumps(told).encode())
    with Watching(engine.endpoint) as watching:
        watching.until_up()
        assert watching.discovery.containers.keys() == {ONE, TWO}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/version", []),
        ("/version", {"ApiVersion": 1.41}),
        ("/version", {"ApiVersion": "9" * 5000 + ".1"}),
        ("/version", {"ApiVersion": "\x1b[2J"}),
        ("/version", {"ApiVersion": "1.41", "Components": [5]}),
        ("/version", {"ApiVersion": "1.41", "MinAPIVersion": ["1.12"]}),
        ("/info", None),
        ("/info", {"ServerVersion": {}}),
        ("/info", {"ServerVersion": "1", "SecurityOptions": "rootless"}),
        ("/info", {"ServerVersion": "1", "SystemTime": 5}),
        ("/info", {"ServerVersion": "1", "SystemTime": "0001-01-01"}),
        ("/info", {"ServerVersion": "1", "CgroupDriver": []}),
    ],
)
def test_an_engine_that_describes_itself_wrongly(engine: ScriptedEngine, path: str, value: object) -> None:
    engine.answers[path] = lambda _: (200, json.dumps(value).encode())
    with Watching(engine.endpoint) as watching:
        until(lambda: "the server at" in watching.discovery.error, "the reason")
        assert watching.discovery.error.isprintable()
        assert len(watching.discovery.error) < 300


@pytest.mark.usefixtures("quick")
def test_an_error_of_the_exporters_own_does_not_end_the_watch(
    engine: ScriptedEngine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [ZeroDivisionError("once")]

    def fail_once(*_: object) -> None:
        if failures:
            raise failures.pop()

    with Watching(engine.endpoint) as watching:
        watching.until_up()
        until(engine.streams, "a stream")
        monkeypatch.setattr(watching.discovery._known, "_on_change", fail_once)
        engine.containers[ONE] = inspect_of(ONE, RestartCount=1)
        engine.emit(event_of("restart", ONE))
        watching.until_seen(ONE, lambda seen: seen.status.restarts == 1, "seen all the same")
        until(lambda: watching.discovery.up and not failures, "the next beginning")
    assert "ZeroDivisionError" in caplog.text
