"""A protocol is a package and an entry in the table; no other code knows it."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

import exporter.probes
from exporter.catalog.keys.probes.probe import PROTOCOLS as KEYS
from exporter.catalog.keys.stores import Protocol as StoreProtocol
from exporter.catalog.planning.specs import ProbeSpec
from exporter.probes.compile import Shared
from exporter.probes.families import COMMON, Phases
from exporter.probes.measure import DOING
from exporter.probes.protocols import PROBE_FAMILIES, PROTOCOLS, Protocol, protocol_of
from tests.test_architecture import PACKAGE

ROOM = Path(exporter.probes.__path__[0])
SHARED: dict[str, set[str]] = {"tls": set(), "net": {"tls"}, "stores": {"tls", "net"}}
"""Packages that protocols share, each with the others that it may import."""
MAY_KNOW = {
    # A WebSocket starts as HTTP, and gRPC is HTTP/2; the simulated services answer HTTP.
    "http": ("probes/websocket/", "probes/grpc/", "demo/"),
}
"""For each protocol, who may import it besides itself."""
IMPORT = re.compile(r"^\s*(?:from|import) exporter\.probes\.(\w+)", re.MULTILINE)

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)


def test_each_package_is_a_line() -> None:
    packages = {path.parent.name for path in ROOM.glob("*/__init__.py")}
    assert packages == {*PROTOCOLS, *SHARED}


def test_each_spec_has_its_protocol() -> None:
    specs = set(get_args(ProbeSpec))
    assert {protocol.spec for protocol in PROTOCOLS.values()} == specs


def test_each_protocol_can_be_written() -> None:
    assert {*KEYS, *get_args(StoreProtocol)} == PROTOCOLS.keys()


def test_each_phase_has_words_for_a_time_out() -> None:
    phases = {
        name for family in PROBE_FAMILIES if isinstance(family.source, Phases) for name in family.source.names
    }
    assert phases <= DOING.keys()


@every_protocol
def test_the_package_has_what_the_line_says(protocol: Protocol) -> None:
    assert callable(getattr(import_module(f"exporter.probes.{protocol.name}.probe"), protocol.maker))
    families = import_module(f"exporter.probes.{protocol.name}.families")
    assert protocol.families is families.FAMILIES


@every_protocol
def test_families_keep_the_order_of_each_protocol(protocol: Protocol) -> None:
    families = (*COMMON, *protocol.families)
    assert [family for family in PROBE_FAMILIES if family in families] == list(families)


def test_nothing_else_imports_a_protocol() -> None:
    """Check that the daemon and the scrape get what they need from the table."""
    for file in PACKAGE.rglob("*.py"):
        path = file.relative_to(PACKAGE).as_posix()
        for name in set(IMPORT.findall(file.read_text())) & PROTOCOLS.keys():
            rooms = (f"probes/{name}/", "probes/protocols.py", *MAY_KNOW.get(name, ()))
            assert path.startswith(rooms), f"{path} imports exporter.probes.{name}"


@pytest.mark.parametrize("room", SHARED)
def test_what_is_shared_is_built_from_the_ground_up(room: str) -> None:
    for file in (ROOM / room).glob("*.py"):
        rooms = set(IMPORT.findall(file.read_text())) & SHARED.keys()
        assert rooms - {room} <= SHARED[room], f"{file.name} imports {rooms}"


def test_what_is_made_once_is_shared() -> None:
    shared = Shared()
    assert shared.once("key", object) is shared.once("key", object)
    assert shared.once("other", object) is not shared.once("key", object)


@every_protocol
def test_a_protocol_is_found_by_its_spec(protocol: Protocol) -> None:
    assert protocol_of(object.__new__(protocol.spec)) is protocol
