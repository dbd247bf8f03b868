"""Address of the Docker engine: from the catalog, or found as the `docker` command finds it.

The `docker` library is not used for this. It ignores a context's TLS files unless all three exist, looks for contexts
in the wrong folder if there is no config.json, and uses another engine if that file is broken.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from exporter.catalog.planning.plan import Endpoint
from exporter.catalog.planning.specs import TlsSpec
from exporter.files import read_in_time

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL_SOCKET = "/var/run/docker.sock"
PORT, TLS_PORT = 2375, 2376
DEFAULT_CONTEXT = "default"
MAX_JSON_BYTES = 1024 * 1024
"""Limit for the docker command's configuration; one with a hundred registries has a few kilobytes."""

_REFUSED = {
    "ssh": "cannot be read over SSH; forward its socket with `ssh -N -L /run/docker-remote.sock:/var/run/docker.sock "
    "HOST` and write unix:///run/docker-remote.sock, or run the exporter on the engine's host",
    "npipe": "cannot be read over a named pipe of Windows; write tcp://HOST:2376 or unix:///PATH",
}
_FORMS = "write unix:///PATH or tcp://HOST:PORT"


class EndpointError(Exception):
    """The engine's address, context or TLS files cannot be used. One sentence."""


def resolve_endpoint(docker: str | None, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Return the engine's address from `docker` (the catalog's value), or else from DOCKER_HOST, DOCKER_CONTEXT, the
    current context, the usual socket, or the socket of a rootless engine. No connection is tried.

    DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH apply to the first two, as with the `docker` command.

    Raises:
        EndpointError: the configured value cannot be used.
    """
    if docker:
        return _of_address(docker, "the catalog's docker", environ)
    if address := environ.get("DOCKER_HOST"):
        return _of_address(address, "DOCKER_HOST", environ)
    folder = _config_folder(environ)
    context = environ.get("DOCKER_CONTEXT") or _current_context(folder / "config.json")
    if context != DEFAULT_CONTEXT:
        return _of_context(context, folder / "contexts")
    return _endpoint(_Address("unix", socket=_socket_of_this_host(environ)))


def _of_address(written: str, where: str, environ: Mapping[str, str]) -> Endpoint:
    address = _parse(written, where)
    if address.socket is not None:
        return _endpoint(address)
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    asked = verify or bool(environ.get("DOCKER_TLS"))
    if address.scheme == "http" and asked:
        raise EndpointError(
            f"{where} begins with http://, but DOCKER_TLS_VERIFY or DOCKER_TLS asks for TLS; "
            "write tcp:// or https://, or unset the variable"
        )
    if address.scheme != "https" and not asked:
        return _endpoint(address)
    folder = Path(environ.get("DOCKER_CERT_PATH") or _config_folder(environ))
    tls = _tls(folder, verify=verify or not asked)
    if verify and tls.ca_file is None:
        raise EndpointError(
            f"DOCKER_TLS_VERIFY is set, but {folder / 'ca.pem'} is missing; see DOCKER_CERT_PATH"
        )
    return _endpoint(address, tls)


def _of_context(name: str, contexts: Path) -> Endpoint:
    where = f"the Docker context {name}"
    number = hashlib.sha256(name.encode()).hexdigest()
    described = _read_json(contexts / "meta" / number / "meta.json", where)
    if described is None:
        raise EndpointError(f"{where} does not exist in {contexts}; for a list, run: docker context ls")
    described = _object(_object(described.get("Endpoints")).get("docker"))
    written = described.get("Host")
    if not isinstance(written, str):
        raise EndpointError(f"{where} has no address of a Docker engine")
    address = _parse(written, where)
    if address.socket is not None:
        return _endpoint(address)
    unverified = described.get("SkipTLSVerify") is True
    folder = contexts / "tls" / number / "docker"
    if address.scheme == "https" or unverified or (folder.is_dir() and any(folder.iterdir())):
        return _endpoint(address, _tls(folder, verify=not unverified))
    return _endpoint(address)


@dataclass(frozen=True, slots=True)
class _Address:
    scheme: str
    socket: str | None = None
    host: str = ""
    port: int | None = None


def _parse(address: str, where: str) -> _Address:
    """Parse an address. Errors do not repeat it, since it may contain a password."""
    address = address.strip()
    if "://" not in address:
        if address.startswith(("/", "~", ".")):
            raise EndpointError(f"{where} is a path without a scheme; write unix:///PATH")
        address = f"tcp://{address}"
    scheme, _, rest = address.partition("://")
    scheme = scheme.lower()
    if scheme in _REFUSED:
        raise EndpointError(f"{where} begins with {scheme}://, but the engine {_REFUSED[scheme]}")
    if scheme == "unix":
        if not rest.startswith("/"):
            raise EndpointError(f"{where} is not the absolute path of a socket; write unix:///PATH")
        return _Address(scheme, socket=rest)
    if scheme not in ("tcp", "http", "https"):
        raise EndpointError(f"{where} is not an address of a Docker engine; {_FORMS}")
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise EndpointError(f"{where} has no valid host or port; {_FORMS}") from None
    if not host or port == 0:
        raise EndpointError(f"{where} has no valid host or port; {_FORMS}")
    if parts.username is not None:
        raise EndpointError(f"{where} has a user or password, which Docker does not support; {_FORMS}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise EndpointError(f"{where} has something after its port; {_FORMS}")
    return _Address(scheme, host=host, port=port)


def _endpoint(address: _Address, tls: TlsSpec | None = None) -> Endpoint:
    if address.socket is not None:
        return Endpoint(shown=f"unix://{address.socket}", socket=address.socket)
    port = address.port or (TLS_PORT if tls else PORT)
    bracketed = f"[{address.host}]" if ":" in address.host else address.host
    return Endpoint(shown=f"tcp://{bracketed}:{port}", host=address.host, port=port, tls=tls)


def _tls(folder: Path, *, verify: bool) -> TlsSpec:
    ca, certificate, key = (
        str(path) if (path := folder / name).is_file() else None for name in ("ca.pem", "cert.pem", "key.pem")
    )
    if (certificate is None) != (key is None):
        missing = "cert.pem" if certificate is None else "key.pem"
        raise EndpointError(f"{folder / missing} is missing: a client certificate needs cert.pem and key.pem")
    return TlsSpec(verify=verify, ca_file=ca, certificate_file=certificate, key_file=key)


def _config_folder(environ: Mapping[str, str]) -> Path:
    if written := environ.get("DOCKER_CONFIG"):
        return Path(written)
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - Path.home raises for a user without a home
    return Path(home if home.startswith("/") else "/") / ".docker"


def _current_context(config: Path) -> str:
    described = _read_json(config, "the configuration of the docker command")
    name = (described or {}).get("currentContext") or DEFAULT_CONTEXT
    if not isinstance(name, str):
        raise EndpointError(f"currentContext in {config} is not a name")
    return name


def _read_json(path: Path, what: str) -> dict[str, Any] | None:
    """Return the JSON object in a file; None if there is no such file."""
    try:
        described = json.loads(read_in_time(path, MAX_JSON_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EndpointError(f"{what} cannot be read: {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise EndpointError(f"{what} is not valid JSON: {path}; repair it, or set DOCKER_HOST") from None
    if not isinstance(described, dict):
        raise EndpointError(f"{what} is not a JSON object: {path}; repair it, or set DOCKER_HOST")
    return described


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _socket_of_this_host(environ: Mapping[str, str]) -> str:
    """Return the usual socket, unless only a rootless engine's exists. Neither needs to exist yet: an engine may start
    later."""
    folder = environ.get("XDG_RUNTIME_DIR")
    rootless = f"{folder}/docker.sock" if folder else None
    if rootless and not Path(USUAL_SOCKET).exists() and Path(rootless).exists():
        return rootless
    return USUAL_SOCKET
