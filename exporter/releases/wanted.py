"""Read resolved Compose files: what should run, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.host.failures import OperationError
from exporter.releases.plan import Wanted
from exporter.releases.tags import tag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from exporter.host.compose import Compose
    from exporter.host.containers import Json


def replicas_of(config: Json) -> dict[str, int]:
    """Return how many containers each service should have."""
    return {name: _replicas(service) for name, service in services_of(config).items()}


def services_of(config: Json) -> dict[str, Mapping[str, Any]]:
    """Return the services of resolved Compose files."""
    found = config.get("services")
    pairs = found.items() if isinstance(found, dict) else ()
    return {str(name): service for name, service in pairs if isinstance(service, dict)}


def images_of(config: Json) -> dict[str, str]:
    """Return the image that each service names."""
    return {
        name: str(service["image"]) for name, service in services_of(config).items() if "image" in service
    }


def wanted(
    compose: Compose,
    names: Iterable[str],
    image_id: Callable[[str], str | None],
    fetched: Collection[str],
) -> list[Wanted]:
    """Return what should run of `names`, in their order. `image_id` gives the id of an image that is on the engine."""
    config, hashes = compose.config(), hashes_of(compose)
    images, replicas = images_of(config), replicas_of(config)
    return [
        Wanted(
            name,
            tag_of(images.get(name, "")),
            image_id(images.get(name, "")),
            hashes.get(name, ""),
            replicas[name],
            replicas[name] > 1,
            name in fetched,
        )
        for name in names
        if name in replicas
    ]


def hashes_of(compose: Compose) -> dict[str, str]:
    """Return the hash of every service's configuration, as containers have it in a label.

    Raises:
        OperationError: Compose does not say.
    """
    done = compose.answer("config", "--hash", "*")
    rows = [line.split() for line in done.output.decode("utf-8", "replace").splitlines()]
    if not done.good or any(len(row) != 2 for row in rows):
        raise OperationError(f"{' '.join(compose.command)} config --hash does not answer: {done.reason}")
    return dict(rows)


def _replicas(service: Mapping[str, Any]) -> int:
    deploy = service.get("deploy")
    count = deploy.get("replicas") if isinstance(deploy, dict) else None
    scale = service.get("scale")
    return next((each for each in (count, scale) if isinstance(each, int)), 1)
