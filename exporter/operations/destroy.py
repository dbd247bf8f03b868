"""`exporter destroy`: list an environment's containers, networks and perhaps volumes, then remove them."""

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
    """What the engine has of a Compose project. Volumes that others made (`external`) are not among these."""

    containers: tuple[Container, ...]
    networks: tuple[str, ...]
    volumes: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.containers or self.networks or self.volumes)


def find(site: Site, engine: Engine, *, volumes: bool) -> Remains:
    """List everything of the environment, containers of `compose run` too; its volumes only if asked to.

    Containers of what is only watched stay, with their networks and volumes.
    """
    labels = {PROJECT_LABEL: site.compose_project}
    containers = engine.labelled(labels)
    kept = [each for each in containers if each.service in site.watched]
    used = {name for each in kept for name in each.networks}
    used |= {mount.name for each in kept for mount in each.mounts}
    return Remains(
        tuple(each for each in containers if each not in kept),
        tuple(name for name in engine.networks(labels) if name not in used),
        tuple(name for name in engine.volumes(labels) if name not in used) if volumes else (),
    )


def describe(site: Site, remains: Remains, *, volumes: bool) -> Iterator[str]:
    """Say what is to be removed and what stays, a line each."""
    for container in remains.containers:
        yield f"  container {shown(container.name)} ({shown(container.state)}, {shown(container.image_name)})"
    for network in remains.networks:
        yield f"  network {shown(network)}"
    for volume in remains.volumes:
        yield f"  volume {shown(volume)}, with all that is in it"
    kept = [str(site.state_folder), str(site.secrets_folder), f"{site.backup_folder / site.environment}"]
    if site.watched:
        yield f"what is only watched stays: {', '.join(site.watched)}"
    if not volumes:
        kept.insert(0, "the volumes (--volumes removes them, too)")
    yield f"images and these stay: {', '.join(kept)}"


def remove(engine: Engine, remains: Remains, screen: Screen) -> None:
    """Remove it: containers first, since they hold the others. Can be done again after it was interrupted."""
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
