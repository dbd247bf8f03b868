"""compose.yaml: the application of one environment, for `docker compose` and also for docker-compose 1.29.

It has no `version`, which neither needs, and no `name`, which 1.29 does not know: the project's name comes from `-p` or
from COMPOSE_PROJECT_NAME in .env.
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
from exporter.outputs.compose.secrets import secret_files, swarm_secrets
from exporter.outputs.compose.services import service_keys
from exporter.outputs.compose.stores import database_scripts, store_keys
from exporter.outputs.compose.variables import environment_example
from exporter.outputs.yaml_text import Apart, yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog


def render(catalog: Catalog) -> Iterable[File]:
    """Yield compose.yaml, the overlay with Swarm's secrets, .env.example, and scripts that create databases.

    Raises:
        OutputError: Compose cannot express something in the catalog.
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
    if catalog.own_gateway:
        services[GATEWAY] = gateway_keys(catalog, catalog.own_gateway)
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
            f"{place}: services, stores and the gateway.",
            f"docker compose -p {compose_project(catalog)} -f compose.yaml up --detach --wait",
        ),
    )
    yield File(
        "compose.secrets.swarm.yaml",
        yaml_text(
            {"secrets": swarm_secrets(catalog, secrets)},
            f"{place}: secrets of a Swarm, created by: exporter secrets create --swarm.",
            "For your own stack file, in place of the secret files of compose.yaml: docker stack deploy supports "
            "neither its limits nor its conditions of depends_on.",
        ),
    )
    yield File(".env.example", environment_example(catalog, services, secrets))
    yield from database_scripts(catalog, deployed_stores(catalog))
