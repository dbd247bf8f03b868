"""compose.yaml: the application of one environment, for `docker compose` and also for docker-compose 1.29.

It has no `version`, which neither needs, and no `name`, which 1.29 does not know: the project's name comes from `-p` or
from COMPOSE_PROJECT_NAME in .env.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.planning.places import compose_project
from exporter.outputs.base import File, Refusals
from exporter.outputs.compose.blocks import document_of_services
from exporter.outputs.compose.configs import configs
from exporter.outputs.compose.gateway import gateway_keys
from exporter.outputs.compose.mounts import volumes
from exporter.outputs.compose.names import GATEWAY, check_gateway_name, deployed_services, deployed_stores
from exporter.outputs.compose.networks import check_networks, networks
from exporter.outputs.compose.passthrough import check_passed, document_with, services_with, unfollowed
from exporter.outputs.compose.ports import check_edge
from exporter.outputs.compose.secrets import env_files, secret_files, swarm_secrets
from exporter.outputs.compose.services import service_keys
from exporter.outputs.compose.stores import database_scripts, store_keys
from exporter.outputs.compose.variables import environment_example
from exporter.outputs.yaml_text import Apart, yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.reading.problems import Finding


def notes(catalog: Catalog) -> Iterable[Finding]:
    """Yield what is in compose.yaml only."""
    if "kubernetes" in catalog.model_fields_set:
        yield from unfollowed(catalog, "files for Kubernetes")
    if "secrets" in catalog.compose:
        sentence = "is not in compose.secrets.swarm.yaml, which a Swarm reads in place of these secrets"
        yield ("compose", "secrets"), sentence


_SWARM_VARIABLES = (
    "Variables that hold a secret are not among them: docker stack deploy reads their values from the env files that "
    "exporter secrets create, without --swarm, makes where it runs."
)


def render(catalog: Catalog) -> Iterable[File]:
    """Yield compose.yaml, the overlay with Swarm's secrets, .env.example, and scripts that create databases.

    Raises:
        OutputError: Compose cannot express something in the catalog.
    """
    refusals = Refusals()
    for check in (check_gateway_name, check_edge, check_passed):
        with refusals.gathered():
            check(catalog)
    for error in check_networks(catalog):
        refusals.add(error)
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
    services = services_with(catalog, services)
    document = document_with(
        catalog,
        {
            **document_of_services(services),
            "networks": networks(catalog),
            **({"volumes": named} if (named := volumes(catalog)) else {}),
            **({"configs": files} if (files := configs(catalog)) else {}),
            **({"secrets": secret_files(catalog, secrets)} if secrets else {}),
        },
    )
    place = f"{catalog.project} in {catalog.environment_name}"
    yield File(
        "compose.yaml",
        yaml_text(
            Apart(document),
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
            *((_SWARM_VARIABLES,) if env_files(catalog) else ()),
        ),
    )
    # SECRETS_FOLDER, which generated secrets read, is described anyway.
    sections = {**document, "secrets": catalog.compose.get("secrets")}
    further = {f"the {key} of the file": value for key, value in sections.items() if key != "services"}
    yield File(".env.example", environment_example(catalog, {**services, **further}, secrets))
    yield from database_scripts(catalog, deployed_stores(catalog))
