"""Specs of probes, made from the catalog: one function per protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    from collections.abc import Callable

    from exporter.catalog.base import Model
    from exporter.catalog.keys.probes.dns import DnsAnswers
    from exporter.catalog.keys.probes.probe import ProtocolProbe
    from exporter.catalog.planning.asked import Asked
    from exporter.catalog.planning.parts import Parts
    from exporter.catalog.planning.specs import ProbeSpec


def spec_of(parts: Parts, asked: Asked) -> tuple[str, str, ProbeSpec]:
    """Return the name, the label `target` and the spec of a probe.

    Raises:
        ValueError: it has no address.
    """
    label, spec = _SPECS[_model(asked.written)](parts, asked, asked.written)
    return asked.probe, label, spec


def _model(written: ProtocolProbe) -> type[Model]:
    return (
        HttpProbe if isinstance(written, HttpProbe) else type(written)
    )  # `health` is an HTTP probe with times


def _http(parts: Parts, asked: Asked, written: HttpProbe) -> tuple[str, HttpSpec]:
    path = asked.at
    url, request_path = parts.url(asked.service, asked.container, path, written)
    return url, HttpSpec(
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


def _tcp(parts: Parts, asked: Asked, written: TcpProbe) -> tuple[str, TcpSpec]:
    path = asked.at
    host, port = parts.port(asked.service, asked.container, written)
    return join_address(host, port), TcpSpec(
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


def _websocket(parts: Parts, asked: Asked, written: WebSocketProbe) -> tuple[str, WebSocketSpec]:
    path = asked.at
    url, request_path = parts.url(asked.service, asked.container, path, written)
    return url, WebSocketSpec(
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


def _icmp(parts: Parts, asked: Asked, written: IcmpProbe) -> tuple[str, IcmpSpec]:
    host = written.host or parts.address(asked.service, asked.container, None)[0]
    return host, IcmpSpec(host, written.payload, written.ttl, written.ip)


def _grpc(parts: Parts, asked: Asked, written: GrpcProbe) -> tuple[str, GrpcSpec]:
    host, port = parts.port(asked.service, asked.container, written)
    label = join_address(host, port) + (f"/{written.service}" if written.service else "")
    return label, GrpcSpec(
        host=host,
        port=port,
        service=written.service,
        metadata=parts.headers((*asked.at, "metadata"), written.metadata),
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


def _dns(_parts: Parts, _asked: Asked, written: DnsProbe) -> tuple[str, DnsSpec]:
    return written.name, dns_spec(written)


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


_SPECS: dict[type[Model], Callable[[Parts, Asked, Any], tuple[str, ProbeSpec]]] = {
    HttpProbe: _http,
    TcpProbe: _tcp,
    DnsProbe: _dns,
    IcmpProbe: _icmp,
    GrpcProbe: _grpc,
    WebSocketProbe: _websocket,
}
"""Function that makes a spec from each protocol's model."""
