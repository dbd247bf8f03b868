"""compose.yaml: the application of one environment, written for `docker compose` and loadable by docker-compose 1.29.

It has no `version`, which both have given up, and no `name`, which the older one does not know: the project's name
is given by `-p` or by COMPOSE_PROJECT_NAME in .env.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.planning.places import compose_project
from exporter.outputs.base import File, Refusals
from exporter.outputs.compose.blocks import document_of_services
from exporter.outputs.compose.gateway import gateway_keys
from exporter.outputs.compose.mounts import volumes
from exporter.outputs.compose.names import GATEWAY, check_gateway_name, deployed_services, deployed_stores
from exporter.outputs.compose.networks import networks
from exporter.outputs.compose.ports import check_edge
from exporter.outputs.compose.secrets import env_files, secret_files, swarm_secrets
from exporter.outputs.compose.services import service_keys
from exporter.outputs.compose.stores import database_scripts, store_keys
from exporter.outputs.compose.variables import environment_example
from exporter.outputs.yaml_text import Apart, yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog

_SWARM_VARIABLES = (
    "Variables that hold a secret are not among them: docker stack deploy reads their values from the env files that "
    "exporter secrets create, without --swarm, makes where it runs."
)


def render(catalog: Catalog) -> Iterable[File]:
    """compose.yaml, the overlay that takes its secrets from Swarm, .env.example, and scripts that make databases.

    Raises:
        OutputError: Compose cannot express what the catalog says.
    """
    refusals = Refusals()
    for check in (check_gateway_name, check_edge):
        with refusals.gathered():
            check(catalog)
    services: dict[str, Any] = {}
    secrets: dict[str, None] = {}
    for name, service in deployed_services(catalog).items():
        with refusals.gathered():
            services[name], access = service_keys(catalog, name, service)
            secrets |= dict.fromkeys(access.secrets)
    for name, store in deployed_stores(catalog).items():
        with refusals.gathered():
            services[name], access = store_keys(catalog, name, store)
            secrets |= dict.fromkeys(access.secrets)
    refusals.end()
    if catalog.gateway:
        services[GATEWAY] = gateway_keys(catalog, catalog.gateway)
    place = f"{catalog.project} in {catalog.environment_name}"
    yield File(
        "compose.yaml",
        yaml_text(
            Apart(
                {
                    **document_of_services(services),
                    "networks": networks(catalog),
                    **({"volumes": named} if (named := volumes(catalog)) else {}),
                    **({"secrets": secret_files(catalog, secrets)} if secrets else {}),
                }
            ),
            f"{place}: its services, its stores and the edge.",
            f"docker compose -p {compose_project(catalog)} -f compose.yaml up --detach --wait",
        ),
    )
    yield File(
        "compose.secrets.swarm.yaml",
        yaml_text(
            {"secrets": swarm_secrets(catalog, secrets)},
            f"{place}: its secrets as a Swarm keeps them, made by: exporter secrets create --swarm.",
            "For a stack file of your own, in place of the files of compose.yaml: docker stack deploy takes neither "
            "its limits nor its conditions of depends_on.",
            *((_SWARM_VARIABLES,) if env_files(catalog) else ()),
        ),
    )
    yield File(".env.example", environment_example(catalog, services, secrets))
    yield from database_scripts(catalog, deployed_stores(catalog))
