"""Probes as they are written: what to ask a service, and what its answer must be."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.references import Secret, Template, TextTemplate, parse_template
from exporter.catalog.values import (
    Address,
    Duration,
    HeaderName,
    Host,
    IpProtocol,
    JsonPath,
    Label,
    Regex,
    Size,
    Statuses,
    Text,
    Url,
    UrlPath,
    check_url,
    shown,
)

Port = Annotated[int, Field(ge=1, le=65535)]


def _off_as_false(value: object) -> object:
    """`off` is text in YAML 1.2; here it means what it says."""
    return False if value == "off" else value


def _parse_proxy(value: object) -> TextTemplate:
    template = parse_template(value)
    if isinstance(value, str):
        userinfo = value.partition("://")[2].rpartition("@")[0]
        bare = value.replace(f"{userinfo}@", "", 1) if "${" in userinfo else value
        if template.literal is not None or bare != value:
            check_url(bare, ("http", "https", "socks5"), "write http://NAME:${PASSWORD}@host:port")
    return template


Proxy = Annotated[
    TextTemplate,
    PlainValidator(_parse_proxy),
    WithJsonSchema({"type": ["string", "object"], "title": "URL, perhaps with references"}),
]


class Tls(Model):
    """How a TLS connection is made and judged."""

    verify: bool = Field(True, description="Whether an untrusted or expired certificate, or one of another name, is a failure.")
    server_name: Host | None = Field(None, description="The name that is asked for and that the certificate must have; default: the host.")
    min_version: Literal["1.0", "1.1", "1.2", "1.3"] | None = Field(None, description="The lowest TLS version that is accepted, in quotes.")
    ca: str | None = Field(None, description="File of the certificate authorities to trust, in place of the system's.")
    certificate: str | None = Field(None, description="File of the client's certificate.")
    key: str | None = Field(None, description="File of the client certificate's key.")


class BasicAuth(Model):
    """A user name and a password, sent with each request."""

    username: Text = Field(description="The user name.")
    password: Secret = Field(description="The password, by reference.")


class BodyConditions(Model):
    """What the answer's body must hold. Every line must be met; each takes one text or a list."""

    contains: Annotated[tuple[Text, ...], one_or_many(Text)] = Field((), description="Literal text that must be there.")
    absent: Annotated[tuple[Text, ...], one_or_many(Text)] = Field((), description="Literal text that must not be there.")
    matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field((), description="Regular expressions that must match.")
    not_matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field((), description="Regular expressions that must not match.")


def _body_shorthand(value: object) -> object:
    return value if isinstance(value, dict) else {"contains": value}


class JsonCondition(Model):
    """A JSON path (RFC 9535) and what it selects must be. With neither equals nor matches: at least one value."""

    path: JsonPath = Field(description="The path, such as $.status.")
    equals: Annotated[Any, WithJsonSchema({"title": "JSON value"})] = Field(None, description="One value must equal this: text, number, boolean, list or mapping.")
    matches: Regex | None = Field(None, description="The text of one value must match.")
    absent: bool = Field(False, description="Turns the condition round: no value may be so.")

    @property
    def equals_json(self) -> str | None:
        """`equals` as JSON text; none where it was not written (`equals: null` was)."""
        if "equals" not in self.model_fields_set:
            return None
        return json.dumps(self.equals, ensure_ascii=False, sort_keys=True)


def _json_shorthand(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class HeaderCondition(Model):
    """What one header of the answer must be."""

    matches: Regex | None = Field(None, description="The value must match.")
    not_matches: Regex | None = Field(None, description="The value must not match; a missing header passes.")
    absent: bool = Field(False, description="The header must not be there at all.")


def _header_shorthand(value: object) -> object:
    return value if isinstance(value, dict) else {"matches": value}


class HttpProbe(Model):
    """One HTTP request and what its answer must be."""

    url: Url | None = Field(None, description="The whole URL; default: scheme, address of the service, and path.")
    path: UrlPath = Field("/", description="The path, perhaps with a query, at the service's address.")
    scheme: Literal["http", "https"] = Field("http", description="With path: the URL's scheme.")
    port: Port | None = Field(None, description="With path: the port; default: the service's.")
    method: Annotated[str, Field(pattern=r"^[A-Z]+$")] = Field("GET", description="The method, in capitals.")
    headers: dict[HeaderName, Template] = Field({}, description="Headers of the request; values may hold references.")
    send: Template | None = Field(None, description="The body of the request.")
    status: Statuses = Field(((200, 299),), description="Status codes that count as success: 200, 2xx, 200-299 or a list.", json_schema_extra={"default": "2xx"})
    versions: Annotated[tuple[Literal["1.0", "1.1", "2"], ...], one_or_many(Text)] = Field((), description="HTTP versions that count as success, in quotes; default: any.")
    body: Annotated[BodyConditions, BeforeValidator(_body_shorthand, json_schema_input_type=BodyConditions | Text | tuple[Text, ...])] = Field(
        BodyConditions(), description="What the answer's body must hold; plain text is short for contains."
    )
    json_conditions: Annotated[
        tuple[Annotated[JsonCondition, BeforeValidator(_json_shorthand, json_schema_input_type=JsonCondition | JsonPath)], ...],
        one_or_many(JsonCondition | JsonPath),
    ] = Field((), alias="json", description="Conditions on a JSON body; a plain path must select something.")
    header: dict[HeaderName, Annotated[HeaderCondition, BeforeValidator(_header_shorthand, json_schema_input_type=HeaderCondition | Regex)]] = Field(
        {}, description="Conditions on the answer's headers; a plain regular expression is short for matches."
    )
    redirects: Annotated[Annotated[int, Field(ge=0, le=100)] | Literal[False], BeforeValidator(_redirects, json_schema_input_type=int | Literal["off", False])] = Field(
        10, description="How many redirects are followed; off follows none."
    )
    tls: Tls = Field(Tls(), description="TLS of an https URL.")
    basic_auth: BasicAuth | None = Field(None, description="Basic authentication.")
    bearer_token: Secret | None = Field(None, description="A bearer token, by reference.")
    proxy: Proxy | None = Field(None, description="URL of a proxy; its password, if any, by reference.")
    ip: IpProtocol = Field("any", description="Address family: one only, one first, or whichever answers first.")
    max_body: Size = Field(10 * 1024 * 1024, description="A larger body is a failure.", json_schema_extra={"default": "10Mi"})
    compression: Literal["gzip", "deflate"] | None = Field(None, description="The body must arrive compressed so.")


class TcpExchange(Model):
    """One step of a conversation: wait for a line, then send one, then perhaps start TLS."""

    expect: Regex | None = Field(None, description="Wait for a line that matches.")
    send: Template | None = Field(None, description="Then send this line; may hold references.")
    starttls: bool = Field(False, description="Then start TLS.")


def _tls_shorthand(value: object) -> object:
    """`tls: true` is TLS with the defaults, `tls: off` is none."""
    if value is True:
        return {}
    return None if value is False or value == "off" else value


class TcpProbe(Model):
    """One TCP connection."""

    address: Address | None = Field(None, description="host:port; default: the service's address.")
    host: Host | None = Field(None, description="The host; default: the service's.")
    port: Port | None = Field(None, description="The port; default: the service's.")
    tls: Annotated[Tls | None, BeforeValidator(_tls_shorthand, json_schema_input_type=Tls | bool | Literal["off"] | None)] = Field(
        None, description="TLS from the start (true for the defaults), or after STARTTLS."
    )
    starttls: Literal["smtp"] | None = Field(None, description="The protocol whose STARTTLS comes before TLS.")
    exchanges: tuple[TcpExchange, ...] = Field((), description="What is expected and sent, in order.")
    ip: IpProtocol = Field("any", description="Address family: one only, one first, or whichever answers first.")


def _tcp_shorthand(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return {"port": value}
    return value if isinstance(value, dict) else {"address": value}


class DnsAnswers(Model):
    """What the text of the answer's records must be."""

    matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field((), description="Each must match at least one record.")
    not_matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field((), description="Each must match no record.")


def _answers_shorthand(value: object) -> object:
    return value if isinstance(value, dict) else {"matches": value}


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _parse_server(value: object) -> str:
    from exporter.catalog.values import split_address

    split_address(value)
    return str(value)


class DnsProbe(Model):
    """One DNS question and what its answer must be."""

    name: Host = Field(description="The name that is asked for.")
    type: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,15}$"), BeforeValidator(_upper)] = Field("A", description="The record type: A, AAAA, CNAME, MX, TXT and so on.")
    server: Annotated[str, PlainValidator(_parse_server), WithJsonSchema({"type": "string", "title": "host[:port]"})] | None = Field(
        None, description="The DNS server, perhaps with a port; default: the system's resolvers."
    )
    transport: Literal["udp", "tcp"] = Field("udp", description="How the question travels.")
    rcodes: Annotated[tuple[Rcode, ...], one_or_many(Rcode)] = Field(("NOERROR",), description="Response codes that count as success.")
    answers: Annotated[DnsAnswers, BeforeValidator(_answers_shorthand, json_schema_input_type=DnsAnswers | Regex | tuple[Regex, ...])] = Field(
        DnsAnswers(), description="What the records must be; a plain regular expression is short for matches."
    )
    min_answers: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How many records there must be at least; default: 1, or 0 where a response code other than NOERROR is expected."
    )
    recursion: bool = Field(True, description="Whether the server is asked to resolve recursively.")
    ip: IpProtocol = Field("any", description="Address family of the way to the server.")


def _dns_shorthand(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class IcmpProbe(Model):
    """One echo request."""

    host: Host | None = Field(None, description="The host; default: the service's.")
    payload: Annotated[int, Field(ge=0, le=65507)] = Field(56, description="Bytes of payload.")
    ttl: Annotated[int, Field(ge=1, le=255)] = Field(64, description="Hops that the request may take.")
    ip: IpProtocol = Field("any", description="Address family.")


def _icmp_shorthand(value: object) -> object:
    return value if isinstance(value, dict) else {"host": value}


def _http_shorthand(value: object) -> object:
    """`/path` or `https://…` in place of the mapping."""
    if not isinstance(value, str):
        return value
    return {"path": value} if value.startswith("/") else {"url": value}
