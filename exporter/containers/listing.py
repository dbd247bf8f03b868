"""List of all containers of an engine, with their services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.containers.answers import AnswerError, Part, container_id, elements, plain
from exporter.containers.engine import EngineError
from exporter.containers.inspect import MAX_NAME

if TYPE_CHECKING:
    from exporter.containers.engine import Engine
    from exporter.containers.mapping import ServiceMapping

LIST_SECONDS = 10.0
MAX_CONTAINERS = 10_000


async def list_containers(engine: Engine, mapping: ServiceMapping) -> dict[str, frozenset[str | None]]:
    """Return the ids of all containers, including stopped ones, with the service of each as the only element of a set:
    None for a container outside the catalog. The set is empty if the list does not say.

    Raises:
        EngineError: the engine does not answer in time, or the answer does not match the API.
    """
    found: dict[str, frozenset[str | None]] = {}
    try:
        async with (
            engine.deadline(LIST_SECONDS),
            engine.stream("/containers/json", {"all": "1"}, LIST_SECONDS) as parts,
        ):
            async for one in elements(parts):
                container = Part(one)
                identifier = container_id(container.text("Id"))
                found[identifier] = _service(container, mapping)
                if len(found) > MAX_CONTAINERS:
                    break
    except AnswerError as error:
        raise EngineError(f"the Docker engine's answer to /containers/json {error}") from None
    if len(found) > MAX_CONTAINERS:
        raise EngineError(f"the Docker engine lists more than {MAX_CONTAINERS} containers")
    return found


def _service(container: Part, mapping: ServiceMapping) -> frozenset[str | None]:
    try:
        if "Labels" in container:
            return frozenset({mapping.service_of(container.texts("Labels"), _name(container))})
    except AnswerError:
        pass  # only the labels of this container are wrong
    return frozenset()


def _name(container: Part) -> str:
    """Return its name, not those that links of other containers have given it."""
    names = [plain(name.lstrip("/"), MAX_NAME) for name in container.list("Names") if isinstance(name, str)]
    return next((name for name in names if "/" not in name), "")
