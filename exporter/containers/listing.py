"""The ids of all containers that an engine has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.containers.answers import AnswerError, Part, container_id, elements
from exporter.containers.engine import EngineError

if TYPE_CHECKING:
    from exporter.containers.engine import Engine

LIST_SECONDS = 10.0
MAX_CONTAINERS = 10_000


async def list_containers(engine: Engine) -> set[str]:
    """Return the ids of all containers, stopped ones too.

    Raises:
        EngineError: the engine does not answer in time, or not as the API has it.
    """
    found: set[str] = set()
    try:
        async with (
            engine.deadline(LIST_SECONDS),
            engine.stream("/containers/json", {"all": "1"}, LIST_SECONDS) as parts,
        ):
            async for one in elements(parts):
                found.add(container_id(Part(one).text("Id")))
                if len(found) > MAX_CONTAINERS:
                    break
    except AnswerError as error:
        raise EngineError(f"the Docker engine's answer to /containers/json {error}") from None
    if len(found) > MAX_CONTAINERS:
        raise EngineError(f"the Docker engine lists more than {MAX_CONTAINERS} containers")
    return found
