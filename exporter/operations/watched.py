"""Rows of `exporter status` for what somebody else runs: its containers in any project, as the daemon finds them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from exporter.catalog.planning.watched import claim, contained, projects
from exporter.host.failures import NotThere
from exporter.operations.rows import Wanted, judged_row

if TYPE_CHECKING:
    from exporter.host.containers import Container
    from exporter.host.engine import Engine
    from exporter.host.site import Site
    from exporter.operations.rows import ServiceRow


def watched_rows(site: Site, engine: Engine) -> list[ServiceRow]:
    """Return a row for each service and store that is only watched. Nothing here says how many there should be."""
    found = _Found(site, engine)
    rows = []
    for name in site.watched:
        wanted = Wanted(name, "service" if name in site.catalog.services else "store", 0, managed=False)
        rows.append(judged_row(wanted, found.containers(name), lambda _: ""))
    return rows


class _Found:
    """The containers of other projects, each project listed once."""

    def __init__(self, site: Site, engine: Engine) -> None:
        self._catalog = site.catalog
        self._engine = engine
        self._projects: dict[str, list[Container]] = {}

    def containers(self, name: str) -> list[Container]:
        container = self._catalog.services.get(name) or self._catalog.stores[name]
        if not contained(self._catalog, name, container):
            return []
        claimed = claim(container)
        if claimed and claimed.name:
            with suppress(NotThere):
                return [self._engine.container(claimed.name)]
            return []
        service = (claimed.service if claimed else None) or name
        places = (claimed.project,) if claimed and claimed.project else projects(self._catalog)
        return [each for place in places for each in self._of(place) if each.service == service]

    def _of(self, project: str) -> list[Container]:
        if project not in self._projects:
            self._projects[project] = self._engine.containers(project)
        return self._projects[project]
