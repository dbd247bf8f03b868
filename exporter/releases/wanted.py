"""Parser of resolved Compose files: the services that should run, and their replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.host.failures import OperationError
from exporter.releases.plan import Wanted
from exporter.releases.tags import tag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from exporter.host.compose import Compose
    from exporter.host.containers import Json


@dataclass(frozen=True, slots=True)
class Files:
    """Resolved Compose files: image, number of containers, and networks (by Docker's names) of each service."""

    images: Mapping[str, str]
    replicas: Mapping[str, int]
    networks: Mapping[str, tuple[str, ...]]

    @property
    def services(self) -> tuple[str, ...]:
        """Return the names of all services, without those of inactive profiles (Compose 1 includes these)."""
        return tuple(self.replicas)


def files_of(config: Json, compose_project: str) -> Files:
    """Parse resolved Compose files. `compose_project`: the prefix of networks without a name."""
    services = {str(name): _part(each) for name, each in _part(config.get("services")).items()}
    networks = {str(name): _part(each).get("name") for name, each in _part(config.get("networks")).items()}
    return Files(
        images={name: str(each["image"]) for name, each in services.items() if "image" in each},
        replicas={name: _replicas(each) for name, each in services.items()},
        networks={
            name: tuple(
                str(networks.get(str(key)) or f"{compose_project}_{key}")
                for key in each.get("networks") or ("default",)
            )
            for name, each in services.items()
        },
    )


def wanted(
    compose: Compose,
    files: Files,
    names: Iterable[str],
    image_id: Callable[[str], str | None],
    fetched: Collection[str],
) -> list[Wanted]:
    """Return the services in `names` that should run. `image_id` returns the id of an image on the engine, or None."""
    hashes, images, replicas = hashes_of(compose), files.images, files.replicas
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
    """Return the hash of every service's configuration, as in the label of its containers.

    Raises:
        OperationError: Compose does not print them.
    """
    done = compose.answer("config", "--hash", "*")
    rows = [line.split() for line in done.output.decode("utf-8", "replace").splitlines()]
    if not done.good or any(len(row) != 2 for row in rows):
        raise OperationError(f"{' '.join(compose.command)} config --hash failed: {done.reason}")
    return dict(rows)


def _replicas(service: Mapping[str, Any]) -> int:
    counts = (_part(service.get("deploy")).get("replicas"), service.get("scale"))
    return next((each for each in counts if isinstance(each, int)), 1)


def _part(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
