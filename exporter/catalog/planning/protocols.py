"""Probes, from the way they are written to the way they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.keys.probes.dns import DnsProbe
from exporter.catalog.keys.probes.grpc import GrpcProbe
from exporter.catalog.keys.probes.http import HttpProbe
from exporter.catalog.keys.probes.icmp import IcmpProbe
from exporter.catalog.keys.probes.tcp import TcpProbe
from exporter.catalog.keys.probes.websocket import WebSocketProbe
from exporter.catalog.planning.specs import (
    Condition,
    DnsSpec,
    Exchange,
    GrpcSpec,
    HeaderCondition,
    HttpSpec,
    IcmpSpec,
    JsonCondition,
    TcpSpec,
    WebSocketSpec,
)
from exporter.catalog.values.addresses import join_address
from exporter.patterns import literal

if TYPE_CHECKING:
    from exporter.catalog.base import Model
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.probes.dns import DnsAnswers
    from exporter.catalog.keys.probes.probe import ProtocolProbe
    from exporter.catalog.planning.parts import Parts
    from exporter.catalog.planning.specs import ProbeSpec
    from exporter.catalog.reading.problems import CatalogPath


def protocol_of(written: ProtocolProbe) -> str:
    """The key that holds it in a probe."""
    return _KEYS.get(type(written), "http")


_KEYS: dict[type[Model], str] = {
    TcpProbe: "tcp",
    DnsProbe: "dns",
    IcmpProbe: "icmp",
    GrpcProbe: "grpc",
    WebSocketProbe: "websocket",
}


def spec_of(
    parts: Parts, name: str, container: Container, path: CatalogPath, written: ProtocolProbe
) -> tuple[str, ProbeSpec]:
    """The label `target` and the spec of a probe of the service `name`; `path`: where it is written.

    Raises:
        ValueError: it has no address.
    """
    if isinstance(written, HttpProbe):
        spec = _http(parts, name, container, path, written)
        return spec.url, spec
    if isinstance(written, TcpProbe):
        tcp = _tcp(parts, name, container, path, written)
        return join_address(tcp.host, tcp.port), tcp
    if isinstance(written, DnsProbe):
        return written.name, dns_spec(written)
    if isinstance(written, WebSocketProbe):
        websocket = _websocket(parts, name, container, path, written)
        return websocket.url, websocket
    if isinstance(written, GrpcProbe):
        grpc = _grpc(parts, name, container, path, written)
        return join_address(grpc.host, grpc.port) + (f"/{grpc.service}" if grpc.service else ""), grpc
    host = written.host or parts.address(name, container, None)[0]
    return host, IcmpSpec(host, written.payload, written.ttl, written.ip)


def _http(parts: Parts, name: str, container: Container, path: CatalogPath, written: HttpProbe) -> HttpSpec:
    url, request_path = parts.url(name, container, path, written)
    return HttpSpec(
        url=url,
        request_path=request_path,
        method=written.method,
        headers=parts.headers((*path, "headers"), written.headers),
        body=parts.optional_text((*path, "send"), written.send),
        statuses=written.status,
        versions=written.versions,
        body_conditions=body_conditions(written),
        json_conditions=tuple(
            JsonCondition(item.path, item.equals_json, item.matches, not item.absent)
            for item in written.json_conditions
        ),
        header_conditions=header_conditions(written),
        follow_redirects=written.redirects >= 0,
        max_redirects=max(written.redirects, 0),
        tls=parts.tls(written.tls),
        basic_auth=parts.basic_auth((*path, "basic_auth"), written.basic_auth),
        bearer_token=parts.optional_secret((*path, "bearer_token"), written.bearer_token),
        proxy=parts.optional_text((*path, "proxy"), written.proxy),
        ip_protocol=written.ip,
        max_body_bytes=written.max_body,
        max_json_bytes=written.max_json,
        http2_prior_knowledge=written.http2_prior_knowledge,
        compression=written.compression,
    )


def _tcp(parts: Parts, name: str, container: Container, path: CatalogPath, written: TcpProbe) -> TcpSpec:
    host, port = parts.port(name, container, written)
    return TcpSpec(
        host=host,
        port=port,
        tls=parts.tls(written.tls) if written.tls else None,
        starttls=written.starttls,
        exchanges=tuple(
            Exchange(
                step.expect,
                parts.optional_text((*path, "exchanges", index, "send"), step.send),
                step.starttls,
            )
            for index, step in enumerate(written.exchanges)
        ),
        ip_protocol=written.ip,
    )


def _websocket(
    parts: Parts, name: str, container: Container, path: CatalogPath, written: WebSocketProbe
) -> WebSocketSpec:
    url, request_path = parts.url(name, container, path, written)
    return WebSocketSpec(
        url=url,
        request_path=request_path,
        headers=parts.headers((*path, "headers"), written.headers),
        subprotocols=written.subprotocols,
        send=parts.optional_text((*path, "send"), written.send),
        expect=written.expect,
        tls=parts.tls(written.tls),
        basic_auth=parts.basic_auth((*path, "basic_auth"), written.basic_auth),
        bearer_token=parts.optional_secret((*path, "bearer_token"), written.bearer_token),
        ip_protocol=written.ip,
    )


def _grpc(parts: Parts, name: str, container: Container, path: CatalogPath, written: GrpcProbe) -> GrpcSpec:
    host, port = parts.port(name, container, written)
    return GrpcSpec(
        host=host,
        port=port,
        service=written.service,
        metadata=parts.headers((*path, "metadata"), written.metadata),
        tls=parts.tls(written.tls) if written.tls else None,
        ip_protocol=written.ip,
    )


def body_conditions(written: HttpProbe) -> tuple[Condition, ...]:
    body = written.body
    return (
        *(Condition(literal(text)) for text in body.contains),
        *(Condition(pattern) for pattern in body.matches),
        *(Condition(literal(text), present=False) for text in body.absent),
        *(Condition(pattern, present=False) for pattern in body.not_matches),
    )


def header_conditions(written: HttpProbe) -> tuple[HeaderCondition, ...]:
    conditions = []
    for name, item in written.header.items():
        if item.matches is not None:
            conditions.append(HeaderCondition(name, item.matches))
        if item.not_matches is not None:
            conditions.append(HeaderCondition(name, item.not_matches, present=False))
        if item.absent:
            # Every value matches the empty expression, so only a missing header passes.
            conditions.append(HeaderCondition(name, "", present=False))
    return tuple(conditions)


def dns_spec(written: DnsProbe) -> DnsSpec:
    minimum = written.min_answers
    if minimum is None:
        minimum = 1 if written.rcodes == ("NOERROR",) else 0
    return DnsSpec(
        name=written.name,
        type=written.type,
        server=written.server,
        transport=written.transport,
        rcodes=written.rcodes,
        answers=_answers(written.answers),
        min_answers=minimum,
        recursion=written.recursion,
        ip_protocol=written.ip,
    )


def _answers(answers: DnsAnswers) -> tuple[Condition, ...]:
    return (
        *(Condition(pattern) for pattern in answers.matches),
        *(Condition(pattern, present=False) for pattern in answers.not_matches),
    )
