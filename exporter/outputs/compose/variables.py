"""`.env.example`: every variable that the Compose files and scripts read, with its meaning, without a value."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from exporter.catalog.planning.places import compose_project, secrets_folder, state_folder
from exporter.catalog.values.secret_text import EnvironmentReference
from exporter.outputs.compose.images import TAG, tag_variable
from exporter.outputs.compose.names import GATEWAY, deployed_services
from exporter.outputs.compose.secrets import version_variable
from exporter.outputs.compose.text import variables
from exporter.outputs.yaml_text import LINE, NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from exporter.catalog.catalog import Catalog


def environment_example(catalog: Catalog, services: dict[str, Any], secrets: Iterable[str]) -> str:
    """Return the file's text. `services` and `secrets` are those of the Compose file."""
    lines = [
        *_comment(NOTICE),
        *_comment(
            "Copy this file to .env next to compose.yaml and fill it in; an empty value means the default, if there "
            "is one. Secrets do not belong there: exporter secrets keeps them in files."
        ),
        "",
        *_comment("The Compose project of both Compose files. It separates environments on one host."),
        f"COMPOSE_PROJECT_NAME={compose_project(catalog)}",
    ]
    for name, meaning in _variables(catalog, services, secrets).items():
        lines += ["", *_comment(meaning), f"{name}="]
    for name, meaning in _secret_variables(catalog).items():
        lines += ["", *_comment(f"{name} is not for this file: {meaning}")]
    return "\n".join(lines) + "\n"


def _variables(catalog: Catalog, services: dict[str, Any], secrets: Iterable[str]) -> dict[str, str]:
    known = {
        TAG: "The tag of the images that are built here: the deployed release, such as its commit.",
        **{
            tag_variable(name): f"The tag of the image of {name}, which is not in the catalog."
            for name in (*deployed_services(catalog), GATEWAY)
        },
    }
    readers: dict[str, list[str]] = {}
    for service, keys in services.items():
        for name in variables(keys):
            readers.setdefault(name, []).append(service)
    return {
        **{name: known.get(name, f"Read by {', '.join(by)}.") for name, by in readers.items()},
        **_monitoring_variables(catalog),
        "FILES_FOLDER": "A folder with a copy of all generated files that containers mount, including dashboards and "
        "alert_rules; default: the files where they were generated. Deploys always use their own copy.",
        "SECRETS_FOLDER": f"The folder of the secret files; default: {secrets_folder(catalog)}.",
        **{
            version_variable(name): f"Swarm only: the version of the secret {name}; default: 1."
            for name in secrets
        },
        "STATE_FOLDER": f"The folder of the lock and the records of deploys; default: {state_folder(catalog)}.",
        "BACKUP_FOLDER": f"The folder of backups; default: {catalog.backup.directory}.",
        "EXPORTER": "The exporter command that scripts run; default: exporter.",
    }


def _monitoring_variables(catalog: Catalog) -> dict[str, str]:
    # Imported here because the monitoring stack imports this package.
    from exporter.outputs.monitoring import render

    found = {name: default for file in render(catalog) for name, default in variables(file.text).items()}
    return {
        name: f"Read by the monitoring stack{f'; default: {default}' if default else ''}."
        for name, default in found.items()
    }


def _secret_variables(catalog: Catalog) -> dict[str, str]:
    """Return variables that contain secrets, which commands read from their own environment."""
    found = {
        source.env: f"exporter secrets reads the secret {name} from its environment."
        for name, source in catalog.secrets.items()
        if source.env
    }
    s3 = catalog.backup.s3
    keys = (s3.access_key, s3.secret_key) if s3 else ()
    for part in (part for key in keys if key for part in key.parts):
        if isinstance(part, EnvironmentReference):
            found[part.name] = "scripts/backup.sh reads it from its environment."
    return found


def _comment(text: str) -> Iterator[str]:
    """Yield comment lines. Line breaks in text from the catalog would end the comment, so they become spaces."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    yield from textwrap.wrap(printable, LINE, initial_indent="# ", subsequent_indent="# ")
