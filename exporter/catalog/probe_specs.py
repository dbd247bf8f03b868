"""Conditions of a probe, from the way they are written to the way they are run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.catalog.network_probes import GrpcProbe, WebSocketProbe
from exporter.catalog.probes import DnsProbe, IcmpProbe, TcpProbe
from exporter.catalog.targets import Condition, DnsSpec, HeaderCondition

if TYPE_CHECKING:
    from exporter.catalog.base import Model
    from exporter.catalog.http_probe import HttpProbe
    from exporter.catalog.probes import DnsAnswers, ProtocolProbe


def body_conditions(written: HttpProbe) -> tuple[Condition, ...]:
    body = written.body
    return (
        *(Condition(re.escape(text)) for text in body.contains),
        *(Condition(pattern) for pattern in body.matches),
        *(Condition(re.escape(text), present=False) for text in body.absent),
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


def join_address(host: str, port: int | None) -> str:
    """`host:port`, with brackets round an IPv6 address."""
    text = f"[{host}]" if ":" in host else host
    return text if port is None else f"{text}:{port}"
