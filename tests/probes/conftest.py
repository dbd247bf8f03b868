"""Shared fixtures of the probe tests: an event loop, authorities and certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.probes.net import resolve
from tests.probes.certificates import Authority, Certificate
from tests.probes.net.name_server import NameServer
from tests.probes.prober import Prober

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def prober() -> Iterator[Prober]:
    with Prober() as prober:
        yield prober


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """Return the only DNS server that probes use. It knows no names until a test adds one."""
    with NameServer({}) as server:
        monkeypatch.setattr(resolve, "NAMESERVERS", [server.address])
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Certificate:
    """Return a certificate for `localhost` and the loopback addresses."""
    return authority.issue("localhost", "127.0.0.1", "::1")
