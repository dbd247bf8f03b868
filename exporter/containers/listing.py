"""All containers that an engine has, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.containers.answers import AnswerError, Part, container_id, elements
from exporter.containers.engine import EngineError

if TYPE_CHECKING:
    from exporter.containers.engine import Engine
    from exporter.containers.mapping import ServiceMapping

LIST_SECONDS = 10.0
MAX_CONTAINERS = 10_000


async def list_containers(engine: Engine, mapping: ServiceMapping) -> dict[str, frozenset[str | None]]:
    """Return the ids of all containers, stopped ones too, and the service of each: the only element of the set, None
    for a stranger. The set is empty where the list does not tell.

    Raises:
        EngineError: the engine does not answer in time, or not as the API has it.
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
                found[identifier] = _service(container, identifier, mapping)
                if len(found) > MAX_CONTAINERS:
                    break
    except AnswerError as error:
        raise EngineError(f"the Docker engine's answer to /containers/json {error}") from None
    if len(found) > MAX_CONTAINERS:
        raise EngineError(f"the Docker engine lists more than {MAX_CONTAINERS} containers")
    return found


def _service(container: Part, identifier: str, mapping: ServiceMapping) -> frozenset[str | None]:
    try:
        if "Labels" in container:
            return frozenset({mapping.service_of(container.texts("Labels"), identifier[:12])})
    except AnswerError:
        pass  # of this one container; the others are listed as they should be
    return frozenset()
