"""web-config.yml: TLS and users of the daemon's web server, and Prometheus's side of the same key, `exporter.web`.

Both sides name the same files and secrets, so they always agree. The files hold no secret and no hash of one: the
daemon reads the password from a file, as Prometheus does. (`password_file` is the daemon's addition to the format.)
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.outputs.base import File
from exporter.outputs.compose.secrets import secret_name, secret_path
from exporter.outputs.yaml_text import yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.values.references import TextTemplate

NAME = "web-config.yml"
GENERATED = "exporter"
"""The folder next to the Compose file."""
MOUNTED = "/etc/exporter-web"
"""The path of that folder in the daemon's container."""
CATALOG_FOLDER = "/etc/exporter"
PROMETHEUS_FOLDER = "/etc/exporter-tls"
_VERSIONS = {"1.2": "TLS12", "1.3": "TLS13"}


@dataclass(frozen=True, slots=True)
class Needed:
    """Mounts that a container needs. `files`: pairs of a path in the catalog and a path in the container."""

    secrets: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


def render(catalog: Catalog) -> Iterable[File]:
    """Yield the daemon's web configuration, if the catalog has `exporter.web`."""
    web = catalog.exporter.web
    if web is None:
        return
    config: dict[str, Any] = {}
    if tls := web.tls:
        clients = tls.clients
        config["tls_server_config"] = {
            "cert_file": seen(tls.certificate),
            "key_file": _key(tls.key, seen),
            "min_version": _VERSIONS[tls.min_version],
            **(
                {
                    "client_auth_type": "RequireAndVerifyClientCert",
                    "client_ca_file": seen(clients.ca),
                    **({"client_allowed_sans": list(clients.names)} if clients.names else {}),
                }
                if clients
                else {}
            ),
        }
    if web.users:
        config["basic_auth_users"] = {
            name: {"password_file": secret_path(_secret(password))} for name, password in web.users.items()
        }
    yield File(
        NAME,
        yaml_text(config, f"The exporter's web server of {catalog.project} in {catalog.environment_name}."),
    )


def scheme(catalog: Catalog) -> str:
    """Return the scheme of the daemon's URLs."""
    web = catalog.exporter.web
    return "https" if web and web.tls else "http"


def client_config(catalog: Catalog) -> dict[str, Any]:
    """Return the keys with which Prometheus scrapes a server with this web configuration."""
    web = catalog.exporter.web
    keys: dict[str, Any] = {}
    if web and web.tls:
        tls, clients = web.tls, web.tls.clients
        keys["tls_config"] = {
            **({"ca_file": _of_prometheus(tls.ca)} if tls.ca else {}),
            **({"server_name": tls.server_name} if tls.server_name else {}),
            **({"cert_file": _of_prometheus(clients.certificate)} if clients else {}),
            **({"key_file": _key(clients.key, _of_prometheus)} if clients else {}),
        }
    if web and (scraper := web.scraper):
        name, password = scraper
        keys["basic_auth"] = {"username": name, "password_file": secret_path(_secret(password))}
    return {key: value for key, value in keys.items() if value}


def daemon_needs(catalog: Catalog) -> Needed:
    """Return the secrets and files that the daemon's web configuration names."""
    web = catalog.exporter.web
    if web is None:
        return Needed()
    tls = web.tls
    files = [tls.certificate, tls.key, tls.clients.ca if tls.clients else None] if tls else []
    secrets = [*(_secret(password) for password in web.users.values()), *_secrets(tls.key if tls else None)]
    return Needed(_once(secrets), tuple((path, seen(path)) for path in files if isinstance(path, str)))


def prometheus_needs(catalog: Catalog) -> Needed:
    """Return the secrets and files that Prometheus's side names."""
    web = catalog.exporter.web
    if web is None:
        return Needed()
    tls = web.tls
    clients = tls.clients if tls else None
    files = [tls.ca if tls else None, *((clients.certificate, clients.key) if clients else ())]
    secrets = [_secret(web.scraper[1])] if web.scraper else []
    secrets += _secrets(clients.key if clients else None)
    return Needed(
        _once(secrets), tuple((path, _of_prometheus(path)) for path in files if isinstance(path, str))
    )


def seen(path: str) -> str:
    """Return a catalog path as the daemon's container has it; relative paths start from the catalog's folder."""
    return posixpath.normpath(posixpath.join(CATALOG_FOLDER, path))


def _of_prometheus(path: str) -> str:
    return posixpath.normpath(posixpath.join(PROMETHEUS_FOLDER, path))


def _key(written: str | TextTemplate, place: Any) -> str:
    return str(place(written)) if isinstance(written, str) else secret_path(_secret(written))


def _secret(template: TextTemplate) -> str:
    return secret_name(template, ("exporter", "web"))


def _secrets(key: str | TextTemplate | None) -> list[str]:
    return [] if key is None or isinstance(key, str) else [_secret(key)]


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
