"""Parts of the specs of probes: addresses, TLS, headers and resolved references to secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.keys.container.network_mode import HOST
from exporter.catalog.planning.machine import own_address
from exporter.catalog.planning.secret_paths import absolute, resolve
from exporter.catalog.planning.specs import BasicAuth, TlsSpec
from exporter.catalog.planning.watched import contained, host_name
from exporter.catalog.values.addresses import DEFAULT_PORTS, join_address, split_address
from exporter.catalog.values.references import LITERAL_SECRET
from exporter.catalog.values.secret_text import SecretText
from exporter.catalog.values.texts import request_path

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.probes.addressed import AddressedProbe
    from exporter.catalog.keys.probes.http import BasicAuth as WrittenAuth
    from exporter.catalog.keys.probes.http import HttpProbe
    from exporter.catalog.keys.probes.tls import Tls
    from exporter.catalog.keys.probes.websocket import WebSocketProbe
    from exporter.catalog.keys.services import Metrics, Service
    from exporter.catalog.keys.stores import Store
    from exporter.catalog.reading.problems import CatalogPath, Finding
    from exporter.catalog.values.references import TextTemplate

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"})


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A secret that a probe reads, and the key that refers to it."""

    path: CatalogPath
    text: SecretText


class Parts:
    """The parts of one catalog. Equal parts are one object, so a plan of thousands of targets pickles small.

    `uses`: every secret that was resolved. `findings`: what is wrong.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._environment = catalog.environment
        self._shared: dict[TlsSpec, TlsSpec] = {}
        self.uses: list[SecretUse] = []
        self.findings: list[Finding] = []

    def address(self, name: str, container: Service | Store, port: int | None) -> tuple[str, int | None]:
        """Return host and port at which the daemon finds a service; `port` is the probe's own, if it has one."""
        # The generated stack is on the networks of what is deployed, and on those of `observe`.
        joined = container.deployed or (
            bool(self.catalog.observe.networks) and contained(self.catalog, name, container)
        )
        beside = own_address() if joined and container.address is None else None
        published = None
        if self._environment.publishes_all and beside is None:
            published = container.host_port or container.opened_port
        chosen = port or published or container.listen_port
        template = container.address or beside or self._environment.address
        if container.network_mode == HOST and container.address is None and "{service}" in template:
            raise ValueError(
                "is on the network of its host and has no name there; write address, such as 192.0.2.1:{port}"
            )
        if chosen is None:
            template = template.replace(":{port}", "")
            if "{port}" in template:
                raise ValueError("needs a port; write it here or on the service")
        text = template.format(
            service=host_name(*self._network_owner(name, container)),
            port=chosen,
            project=self.catalog.project,
            environment=self.catalog.environment_name,
        )
        host, given = split_address(text)
        return host, port or given

    def _network_owner(self, name: str, container: Service | Store) -> tuple[str, Service | Store]:
        """Return whose network a container uses, with its name: itself, or the one that network_mode names."""
        everything: dict[str, Service | Store] = {**self.catalog.services, **self.catalog.stores}
        seen = {name}
        while (other := container.network_of) in everything and other not in seen:
            name, container = other, everything[other]
            seen.add(name)
        return name, container

    def metrics_target(self, name: str, service: Service, metrics: Metrics) -> str | None:
        """Return host:port of the service's own metrics; the default is the scheme's port, as for HTTP probes."""
        try:
            host, port = self.address(name, service, metrics.port)
        except ValueError as error:
            self.findings.append((("services", name, "metrics"), str(error)))
            return None
        return join_address(host, port or DEFAULT_PORTS[metrics.scheme])

    def url(
        self, name: str, container: Service | Store, path: CatalogPath, written: HttpProbe | WebSocketProbe
    ) -> tuple[str, SecretText | None]:
        """Return the URL as it is shown; and its path and query, if they hold references."""
        if written.url is not None:
            shown, asked = request_path(written.url)
        else:
            host, port = self.address(name, container, written.port)
            shown, asked = request_path(f"{written.scheme}://{join_address(host, port)}{written.path}")
        if asked is not None:
            self.uses.append(SecretUse((*path, "url" if written.url is not None else "path"), asked))
        return shown, asked

    def port(self, name: str, container: Service | Store, written: AddressedProbe) -> tuple[str, int]:
        """Return host and port of a probe of one port."""
        if written.address is not None:
            host, port = written.address
        elif written.host is not None:
            host, port = written.host, written.port
        else:
            host, port = self.address(name, container, written.port)
        port = port or written.port or container.listen_port
        if port is None:
            raise ValueError("needs a port; write it here or on the service")
        return host, port

    def tls(self, written: Tls) -> TlsSpec:
        spec = TlsSpec(
            verify=written.verify,
            server_name=written.server_name,
            min_version=written.min_version,
            max_version=written.max_version,
            ciphers=written.ciphers,
            ca_file=written.ca and absolute(self.catalog, written.ca),
            certificate_file=written.certificate and absolute(self.catalog, written.certificate),
            key_file=written.key and absolute(self.catalog, written.key),
        )
        return self._shared.setdefault(spec, spec)

    def headers(
        self, path: CatalogPath, headers: dict[str, TextTemplate]
    ) -> tuple[tuple[str, str | SecretText], ...]:
        for header, value in headers.items():
            if header.lower() in _SECRET_HEADERS and value.literal is not None:
                self.findings.append(((*path, header), LITERAL_SECRET))
        return tuple((header, self.text((*path, header), value)) for header, value in headers.items())

    def basic_auth(self, path: CatalogPath, written: WrittenAuth | None) -> BasicAuth | None:
        if written is None:
            return None
        username = self.text((*path, "username"), written.username)
        return BasicAuth(username, self.secret((*path, "password"), written.password))

    def optional_secret(self, path: CatalogPath, template: TextTemplate | None) -> SecretText | None:
        return None if template is None else self.secret(path, template)

    def optional_text(self, path: CatalogPath, template: TextTemplate | None) -> str | SecretText | None:
        return None if template is None else self.text(path, template)

    def text(self, path: CatalogPath, template: TextTemplate) -> str | SecretText:
        text = resolve(self.catalog, template)
        if not isinstance(text, str):
            self.uses.append(SecretUse(path, text))
        return text

    def secret(self, path: CatalogPath, template: TextTemplate) -> SecretText:
        text = self.text(path, template)
        return SecretText((text,)) if isinstance(text, str) else text
