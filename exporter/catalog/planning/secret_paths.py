"""Places where a secret's value is read at run time, chosen once when the plan is made.

A name in `secrets` is read from the first of these:

1. the file that the variable NAME_FILE names (`DB_PASSWORD_FILE` for `db_password`), as official images do;
2. the environment variable that `env` names;
3. `/run/secrets/NAME`, where Docker mounts secrets, if it exists;
4. NAME in the folder that the variable SECRETS_FOLDER names, if it can be read: the generated scripts set it on a host;
5. the file that `file` names, or `./secrets/NAME` next to the catalog.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.catalog.values.references import NamedSecret, TextTemplate
from exporter.catalog.values.secret_text import EnvironmentReference, FileReference, SecretText

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

RUN_SECRETS = Path("/run/secrets")
FOLDER_VARIABLE = "SECRETS_FOLDER"
DEFAULT_FOLDER = "secrets"


def file_variable(name: str) -> str:
    """Return the variable that holds the path of a mounted secret: `DB_PASSWORD_FILE` for `db_password`."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper()) + "_FILE"


def secret_file(catalog: Catalog, name: str) -> Path:
    """Return the file, next to the catalog, of a secret that comes from a file."""
    source = catalog.secrets.get(name)
    return catalog.folder / (source.file if source and source.file else f"{DEFAULT_FOLDER}/{name}")


def resolve(catalog: Catalog, template: TextTemplate) -> str | SecretText:
    """Return the text itself, or references whose paths are absolute."""
    literal = template.literal
    if literal is not None:
        return literal
    return SecretText(tuple(_part(catalog, part) for part in template.parts))


def _part(
    catalog: Catalog, part: str | EnvironmentReference | FileReference | NamedSecret
) -> str | EnvironmentReference | FileReference:
    if isinstance(part, NamedSecret):
        return _named(catalog, part.name)
    if isinstance(part, FileReference):
        return FileReference(absolute(catalog, part.path))
    return part


def _named(catalog: Catalog, name: str) -> EnvironmentReference | FileReference:
    mounted = os.environ.get(file_variable(name))
    if mounted:
        return FileReference(absolute(catalog, mounted))
    source = catalog.secrets.get(name)
    if source and source.env:
        return EnvironmentReference(source.env)
    if (RUN_SECRETS / name).exists():
        return FileReference(str(RUN_SECRETS / name))
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder and os.access(place := absolute(catalog, f"{folder}/{name}"), os.R_OK):
        return FileReference(place)
    return FileReference(str(secret_file(catalog, name)))


def absolute(catalog: Catalog, path: str) -> str:
    """Return the absolute form of a path in the catalog, which starts from the catalog's folder."""
    return os.path.normpath(catalog.folder / path)
