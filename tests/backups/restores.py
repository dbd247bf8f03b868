"""A site that is restored without a Docker engine. It records all events, and any of them can fail."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console

from exporter.backups.encryption import Encryption
from exporter.backups.engines.shape import Compared, Restored
from exporter.backups.finding import Found
from exporter.backups.manifest import Manifest, Saved, StoredFile
from exporter.backups.places import Settings
from exporter.backups.restore_plan import plan_restore
from exporter.backups.restoring import Restoring
from exporter.backups.subjects import subjects
from exporter.host.screen import Screen
from exporter.host.site import Site
from tests.outputs.catalogs import catalog_of

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

    from exporter.backups.engines.shape import Place, Source

ID = "20260102T030000Z"
CATALOG = """
project: shop
services:
  api: {{image: api, port: 80, depends_on: [db, cache], volumes: ["files:/f"]}}
stores:
  db: {{engine: postgresql, auth: off, backup: true}}
  cache: {{engine: redis, auth: off, backup: true}}
volumes: {{files: {{backup: true}}}}
backup: {{directory: {backups}, configuration: [deploy]}}
environments: {{staging: }}
"""
KINDS = {"db": ("store", "postgresql"), "cache": ("store", "redis"), "files": ("volume", "")}
CONTENTS = {"postgresql": "globals", "redis": "rdb", "": "volume"}


def manifest(*names: str, id: str = ID) -> Manifest:  # noqa: A002 - as the manifest calls it
    """Return the manifest of a backup of these subjects."""
    return Manifest(
        id, "shop", "staging", "2026-01-02T03:00:05+00:00", "1", "", tuple(saved(name) for name in names)
    )


def saved(name: str) -> Saved:
    """Return one subject of a manifest."""
    kind, engine = KINDS[name]
    file = StoredFile(f"{name}/data", CONTENTS[engine], "", 4, "0" * 64)
    return Saved(name, kind, engine, {"version": "16.3", "dir": "/:/host"}, (file,), 6)  # type: ignore[arg-type]


@dataclass(slots=True)
class FakeContainer:
    """The part of a container that a restore reads."""

    id: str
    service: str
    running: bool = True
    image_name: str = "image"
    image_id: str = "sha256:1"


@dataclass
class Events:
    """The recorded events. `fail`: the exception to raise once, by the name of the event."""

    happened: list[str] = field(default_factory=list)
    fail: dict[str, BaseException] = field(default_factory=dict)
    left: Callable[[], tuple[str, ...]] = lambda: ()

    def note(self, event: str) -> None:
        self.happened.append(event)
        if error := self.fail.pop(event, None):
            raise error


class FakeHost:
    """The DockerHost and the Engine of a site."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self.engine = self
        self.project = "shop-staging"
        self.there = {name: FakeContainer(f"id-{name}", name) for name in ("api", "db", "cache")}

    def container_of(self, service: str) -> FakeContainer | None:
        return self.there.get(service)

    def volume_of(self, name: str) -> str:
        return f"shop-staging_{name}"

    def containers(self, *services: str) -> list[FakeContainer]:
        return [each for each in self.there.values() if not services or each.service in services]

    def stop(self, *ids: str) -> None:
        self.events.note(f"stop {' '.join(ids)}")
        for each in self.there.values():
            each.running = each.running and each.id not in ids

    def is_running(self, container: str) -> bool:
        return any(each.id == container and each.running for each in self.there.values())

    def start(self, *ids: str) -> None:
        self.events.note(f"start {' '.join(ids)}")


class FakeContext:
    """The Context of a site."""

    def __init__(self, site: Site, host: FakeHost, screen: Screen) -> None:
        self.site = site
        self.engine = host
        self.screen = screen
        self.state = site.state

    def containers(self, *services: str) -> list[FakeContainer]:
        return self.engine.containers(*services)

    def act(self, what: str, folder: Path, *arguments: str) -> None:  # noqa: ARG002
        self.engine.events.note(f"compose {' '.join(arguments)}")


class FakeEngine:
    """The engine of one kind of data."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def load(self, place: Place, source: Source) -> Restored:  # noqa: ARG002
        self._events.note(f"load {place.name}")
        return Restored((Compared("sales", 6, 6),))


@dataclass
class Fixture:
    """The site and everything that a test needs to restore it."""

    site: Site
    events: Events
    said: io.StringIO
    monkeypatch: pytest.MonkeyPatch

    @property
    def left(self) -> tuple[str, ...]:
        """Return the names in the journal."""
        found = self.site.state.half_restored("staging")
        return found.names if found else ()

    def restore(self, *names: str) -> Restoring:
        """Restore these once; the restore may fail."""
        host = FakeHost(self.events)
        known = subjects(self.site.catalog)
        plan = plan_restore(
            manifest("db", "cache", "files"), known, names, self.site.state.half_restored("staging")
        )
        backups = self.site.backup_folder / "staging"
        found = Found(backups / ID, plan.manifest)
        screen = Screen(Console(file=self.said, width=200))
        context: Any = FakeContext(self.site, host, screen)
        restoring = Restoring(context, host, found, plan, Settings(), Encryption(), backups)  # type: ignore[arg-type]
        restoring.run()
        return restoring


@contextmanager
def fixture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fixture]:
    """Make a site in `folder`."""
    import io

    catalog = catalog_of(folder, CATALOG.format(backups=folder / "backups"))
    (folder / "deploy" / "staging").mkdir(parents=True)
    variables = {"STATE_FOLDER": str(folder / "state"), "SECRETS_FOLDER": str(folder / "secrets")}
    site = Site.of(catalog, folder / "config.yaml", folder, variables)
    events = Events()
    engine = FakeEngine(events)
    monkeypatch.setattr("exporter.backups.restoring.engine_of", lambda _: engine)
    monkeypatch.setattr("exporter.backups.restoring.verify", lambda *_: events.note("verify"))
    monkeypatch.setattr("exporter.backups.places.data_folder_of", lambda _: "/data")
    yield Fixture(site, events, io.StringIO(), monkeypatch)
