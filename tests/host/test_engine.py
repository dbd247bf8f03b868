"""The engine's error answers and missing answers: two kinds of failure, each one sentence that is safe to print."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from exporter.host.engine import connected
from exporter.host.failures import EngineLost, NotThere, Refused
from tests.host.fake_engine import FakeEngine, described, fake_engine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fake() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        yield engine


def test_containers_come_by_service_and_number(fake: FakeEngine) -> None:
    fake.holds(described("b", "web"), described("a", "web"), described("c", "api"))
    with connected(fake.where) as engine:
        assert [each.name for each in engine.containers("shop-staging")] == ["c", "a", "b"]
        assert [each.name for each in engine.containers("shop-staging", "web")] == ["a", "b"]


def test_a_container_that_goes_meanwhile_is_left_out(fake: FakeEngine) -> None:
    fake.holds(described("a", "web"), described("b", "web"))
    del fake.answers["GET /containers/" + "a".ljust(64, "0") + "/json"]
    with connected(fake.where) as engine:
        assert [each.name for each in engine.containers("shop-staging")] == ["b"]


@pytest.mark.parametrize("answer", [None, {}, [], [1], [None], [{"Id": 7}], "text", 7], ids=repr)
def test_an_engine_that_lies_has_no_containers(fake: FakeEngine, answer: Any) -> None:
    fake.answers["GET /containers/json"] = 200, answer
    fake.answers["GET /info"] = 200, answer
    with connected(fake.where) as engine:
        with contextlib.suppress(NotThere, EngineLost):
            assert engine.containers("shop-staging") == []
        assert engine.facts().version == "20.10.24"


def test_a_refusal_has_the_engines_words_without_control_characters(fake: FakeEngine) -> None:
    fake.answers["POST /containers/web/start"] = 500, {"message": "port is \x1b[2J taken\n"}
    with connected(fake.where) as engine:
        with pytest.raises(Refused) as refused:
            engine.start("web")
        assert (
            refused.value.sentence
            == "the Docker engine reports an error for the start of web: port is \\x1b[2J taken\\n"
        )
        assert refused.value.status == 1
        with pytest.raises(NotThere):
            engine.container("gone")
        assert engine.image("gone") is None
        assert engine.volume("gone") is None
        engine.remove("gone")


@pytest.mark.parametrize("where", ["unix:///nowhere.sock", "tcp://127.0.0.1:9"])
def test_an_engine_that_is_not_there_is_lost(where: str) -> None:
    with pytest.raises(EngineLost) as lost, connected(where):
        pass
    assert lost.value.sentence.startswith(f"the Docker engine at {where} does not answer")
    assert lost.value.status == 3


def test_an_engine_that_goes_away_is_lost_in_the_middle() -> None:
    with fake_engine() as fake:
        where = fake.where
        context = connected(where)
        engine = context.__enter__()
    with pytest.raises(EngineLost, match="does not answer during the list of containers"):
        engine.containers("shop-staging")


def test_no_json_is_no_answer(fake: FakeEngine) -> None:
    fake.answers["GET /info"] = 200, b"<html>"
    with connected(fake.where) as engine, pytest.raises(EngineLost):
        engine.facts()


def test_an_answer_that_is_nested_too_deep_is_refused(fake: FakeEngine) -> None:
    fake.answers["GET /containers/json"] = 200, b"[" * 100_000
    with connected(fake.where) as engine, pytest.raises(Refused, match="nested too deep"):
        engine.listed()
