"""The engine's answers, almost as its API sends them: a value of the right types, or the documented error."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.catalog.planning.plan import Endpoint
from exporter.containers.answers import AnswerError, decoded, elements
from exporter.containers.block_devices import BlockDevices
from exporter.containers.engine_info import agreed_api, clock_of, info_of, product_of
from exporter.containers.events import Event, events
from exporter.containers.inspect import container_of
from exporter.containers.mapping import ServiceMapping
from exporter.containers.model import EngineInfo
from exporter.containers.stats import reading_of
from exporter.metrics.container_families import CONTAINER_FAMILIES, Seen, container_labels
from exporter.metrics.items import Items
from tests.containers.scripted_engine import container_number, event_of, inspect_of
from tests.containers.test_stats import V1
from tests.fuzz.json_values import attempted, mutated, pieces, stream, text_of

ONE = container_number(1)
INFO = EngineInfo("20.10", "1.41", "cgroupfs", 1)
MAPPING = ServiceMapping(["web"], labels=["team"])
GOOD = inspect_of(
    ONE, Config__Labels={"exporter.service": "web", "team": "x"}, State__Health={"Status": "healthy"}
)
VERSION = {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Components": [{"Name": "Engine"}]}
DESCRIBED = {
    "ServerVersion": "20.10",
    "CgroupDriver": "systemd",
    "CgroupVersion": "2",
    "SecurityOptions": ["name=rootless"],
    "SystemTime": "2026-11-24T02:12:49Z",
}


@settings(derandomize=True, deadline=None, max_examples=100)
@given(mutated(GOOD))
def test_an_inspect(told: object) -> None:
    container, error = attempted(lambda: container_of(decoded(text_of(told)), INFO, MAPPING), ValueError)
    assert error.isprintable()
    assert (container is None) == bool(error)
    if container is None:
        return
    items = Items(CONTAINER_FAMILIES)
    items.set(ONE, container_labels(container.identity), Seen(container, None))


@settings(derandomize=True, deadline=None, max_examples=80)
@given(mutated(V1))
def test_statistics(told: object) -> None:
    reading, error = attempted(
        lambda: reading_of(decoded(text_of(told)), BlockDevices(None), 1.0), AnswerError
    )
    assert error.isprintable()
    if reading is not None:
        numbers = [
            getattr(reading, name) for name in reading.__slots__ if name not in ("source", "pressures")
        ]
        assert all(value is None or isinstance(value, int | float | tuple) for value in numbers)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(mutated(VERSION), mutated(DESCRIBED))
def test_what_the_engine_says_of_itself(version: object, info: object) -> None:
    endpoint = Endpoint("x", socket="/run/user/1000/docker.sock")
    described, error = attempted(
        lambda: info_of(info, agreed_api(version), endpoint, product_of(version)), ValueError
    )
    assert error.isprintable()
    assert described is None or described.version.isprintable()
    clock, error = attempted(lambda: clock_of(info), ValueError)
    assert error.isprintable()
    assert clock is None or clock >= 0


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.data())
def test_events_in_any_pieces(data: st.DataObject) -> None:
    made = st.one_of(mutated(event_of("start", ONE)).map(text_of), st.binary(max_size=40))
    lines = [text_of(event_of("die", ONE)), *data.draw(st.lists(made, max_size=4))]
    text = b"".join(line.replace(b"\n", b"") + b"\n" for line in lines)

    async def read(parts: list[bytes]) -> list[Event | None]:
        return [event async for event in events(stream(parts))]

    whole = asyncio.run(read([text]))
    assert whole[0] is not None
    assert asyncio.run(read(data.draw(pieces(text)))) == whole


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.data())
def test_lists_in_any_pieces(data: st.DataObject) -> None:
    listed = [{"Id": ONE, "Labels": {"é": '"]}{['}}, {"Id": ONE}]
    text = data.draw(
        st.one_of(
            st.just(json.dumps(listed, ensure_ascii=False).encode()),
            mutated(listed).map(text_of),
            st.binary(max_size=60),
        )
    )

    async def read(parts: list[bytes]) -> list[object] | str:
        try:
            return [repr(one) async for one in elements(stream(parts))]
        except AnswerError as error:
            return str(error)

    assert asyncio.run(read(data.draw(pieces(text)))) == asyncio.run(read([text]))
