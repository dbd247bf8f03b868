"""`exporter destroy`: list an environment's containers, networks and optionally volumes, then remove them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.host.containers import PROJECT_LABEL
from exporter.host.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.host.containers import Container
    from exporter.host.engine import Engine
    from exporter.host.screen import Screen
    from exporter.host.site import Site


@dataclass(frozen=True, slots=True)
class Remains:
    """Resources of a Compose project on the engine, without `external` volumes."""

    containers: tuple[Container, ...]
    networks: tuple[str, ...]
    volumes: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.containers or self.networks or self.volumes)


def find(site: Site, engine: Engine, *, volumes: bool) -> Remains:
    """Find everything of the environment, also containers of `compose run`; its volumes only if asked to."""
    labels = {PROJECT_LABEL: site.compose_project}
    return Remains(
        tuple(engine.labelled(labels)),
        tuple(engine.networks(labels)),
        tuple(engine.volumes(labels)) if volumes else (),
    )


def describe(site: Site, remains: Remains, *, volumes: bool) -> Iterator[str]:
    """Yield a line for each thing to be removed, and one for what stays."""
    for container in remains.containers:
        yield f"  container {shown(container.name)} ({shown(container.state)}, {shown(container.image_name)})"
    for network in remains.networks:
        yield f"  network {shown(network)}"
    for volume in remains.volumes:
        yield f"  volume {shown(volume)}, with all its data"
    kept = [str(site.state_folder), str(site.secrets_folder), f"{site.backup_folder / site.environment}"]
    if not volumes:
        kept.insert(0, "the volumes (--volumes removes them as well)")
    yield f"not removed: images, {', '.join(kept)}"


def remove(engine: Engine, remains: Remains, screen: Screen) -> None:
    """Remove everything, containers first, since they use the rest. Can be repeated after an interruption."""
    screen.enter("containers")
    with screen.live("stopping containers"):
        engine.stop(*(each.id for each in remains.containers if each.running))
        engine.remove(*(each.id for each in remains.containers), volumes=True)
    screen.enter("networks")
    for network in remains.networks:
        engine.remove_network(network)
    if remains.volumes:
        screen.enter("volumes")
    for volume in remains.volumes:
        engine.remove_volume(volume)
