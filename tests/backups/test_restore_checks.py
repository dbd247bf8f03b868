"""Conditions that a host must meet for a restore or a drill, checked before anything is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.backups.places import Settings
from exporter.backups.restore_checks import Checks
from exporter.backups.restore_plan import plan_restore
from exporter.backups.subjects import subjects
from exporter.host.failures import EngineLost, OperationError, Refused
from exporter.host.findings import Finding, State
from exporter.host.preflight import Preflight
from tests.backups.restores import Events, FakeHost, Fixture, fixture, manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Host(FakeHost):
    """A host with some images. Others are in a registry or do not exist."""

    def __init__(self) -> None:
        super().__init__(Events())
        self.there = {}
        self.images = {"api:1", "postgres:17", "redis:7", "busybox:1.37"}
        self.registry: set[str] = set()
        self.lost = False
        self.is_local = True
        self.root = "/"

    def image(self, name: str) -> object | None:
        return name if name in self.images else None

    def find_in_registry(self, name: str) -> None:
        if self.lost:
            raise EngineLost("the engine is gone")
        if name not in self.registry:
            raise Refused(f"the Docker engine reports an error for the image {name}: not found")

    def facts(self) -> Host:
        return self


class Compose:
    """The Compose files."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config

    def config(self) -> dict[str, Any]:
        if not self._config:
            raise OperationError("the Compose files are not valid")
        return self._config


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fixture]:
    monkeypatch.setattr(Preflight, "findings", lambda *_, **__: iter(()))
    with fixture(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "db").write_text("x")
    services = {"api": {"image": "api:1"}, "db": {"image": "postgres:17"}, "cache": {"image": "redis:7"}}
    return {"services": services, "secrets": {"db": {"file": str(tmp_path / "secrets" / "db")}}}


def checks_of(there: Fixture, host: Host, config: dict[str, Any], **settings: Any) -> Checks:
    return Checks(host, there.site, Settings(**settings), lambda _: Compose(config))  # type: ignore[arg-type, return-value]


def missing(there: Fixture, host: Host, config: dict[str, Any], *names: str, **settings: Any) -> list[str]:
    held = manifest("db", "cache", "files")
    plan = plan_restore(held, subjects(there.site.catalog), names)
    return checks_of(there, host, config, **settings).of_restore(plan, held)


def test_a_host_that_has_everything(there: Fixture, config: dict[str, Any]) -> None:
    assert missing(there, Host(), config) == []


def test_everything_that_is_missing_is_said_at_once(
    there: Fixture, config: dict[str, Any], tmp_path: Path
) -> None:
    host = Host()
    host.images.clear()
    (tmp_path / "secrets" / "db").unlink()
    found = missing(there, host, config)
    assert len(found) == 5
    assert "the secret db: there is no " in found[0]
    assert "exporter secrets create -e staging" in found[0]
    for sentence, image in zip(found[1:], ("api:1", "postgres:17", "redis:7", "busybox:1.37"), strict=True):
        assert f"the image {image} " in sentence
        assert "it is not on this host, and" in sentence
    assert "set BACKUP_IMAGE" in found[-1]


def test_images_that_a_registry_has_are_pulled_and_not_missing(
    there: Fixture, config: dict[str, Any]
) -> None:
    host = Host()
    host.images.remove("api:1")
    host.registry.add("api:1")
    held = manifest("db")
    checks = checks_of(there, host, config)
    assert checks.of_restore(plan_restore(held, subjects(there.site.catalog), ()), held) == []
    assert list(checks.to_pull) == ["api:1"]


def test_a_lost_engine_is_not_a_missing_image(there: Fixture, config: dict[str, Any]) -> None:
    host = Host()
    host.images.clear()
    host.lost = True
    with pytest.raises(EngineLost):
        missing(there, host, config)


def test_a_service_without_an_image(there: Fixture, config: dict[str, Any]) -> None:
    config["services"]["api"] = {"build": "."}
    [found] = missing(there, Host(), config)
    assert found == "api has no container here, and no image in the Compose files"


def test_too_little_room(there: Fixture, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 5}))
    [found] = missing(there, Host(), config)
    assert found.startswith("disk space: / has 5 bytes free, but the backup alone needs 12 bytes")


def test_files_that_are_not_valid_are_said_once(there: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Finding("compose", State.PROBLEM, "the Compose files are not valid")
    warning = Finding("clock", State.WARNING, "the clock is late")
    monkeypatch.setattr(Preflight, "findings", lambda *_, **__: iter((problem, warning)))
    assert missing(there, Host(), {}) == ["the Compose files are not valid"]


def test_a_drill_needs_the_images_of_what_it_tries_alone(there: Fixture, config: dict[str, Any]) -> None:
    host = Host()
    host.images = {"redis:7", "busybox:1.37"}
    items = plan_restore(manifest("cache", "files"), subjects(there.site.catalog), ()).items
    assert checks_of(there, host, config).of_drill(items) == []
    items = plan_restore(manifest("db"), subjects(there.site.catalog), ()).items
    [found] = checks_of(there, host, config).of_drill(items)
    assert "the image postgres:17 of db" in found
