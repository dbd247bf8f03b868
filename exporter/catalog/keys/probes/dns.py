"""The key `dns` of a probe: one question and the conditions on its answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.addresses import split_address
from exporter.catalog.values.network import Host, IpProtocol
from exporter.catalog.values.scalars import Regex


class DnsAnswers(Model):
    """Conditions on the text of the answer's records."""

    matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field(
        default=(), description="Each must match at least one record."
    )
    not_matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field(
        default=(), description="Each must match no record."
    )


def _answers_shorthand(value: object) -> object:
    return value if isinstance(value, dict) else {"matches": value}


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _parse_server(value: object) -> str:
    split_address(value)
    return str(value)


Rcode = Literal["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "NOTAUTH"]


class DnsProbe(Model):
    """One DNS question and the conditions on its answer."""

    name: Host = Field(description="Name to look up.")
    type: Annotated[
        str,
        Field(pattern=r"^[A-Z][A-Z0-9]{0,15}$"),
        BeforeValidator(
            _upper, json_schema_input_type=Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9]{0,15}$")]
        ),
    ] = Field(default="A", description="The record type: A, AAAA, CNAME, MX, TXT and so on.")
    server: (
        Annotated[
            str, PlainValidator(_parse_server), WithJsonSchema({"type": "string", "title": "host[:port]"})
        ]
        | None
    ) = Field(
        default=None, description="DNS server, optionally with a port; default: the system's resolvers."
    )
    transport: Literal["udp", "tcp"] = Field(default="udp", description="Transport protocol of the question.")
    rcodes: Annotated[tuple[Rcode, ...], one_or_many(Rcode)] = Field(
        default=("NOERROR",), description="Response codes that count as success."
    )
    answers: Annotated[
        DnsAnswers,
        BeforeValidator(_answers_shorthand, json_schema_input_type=DnsAnswers | Regex | tuple[Regex, ...]),
    ] = Field(
        default=DnsAnswers(),
        description="Conditions on the records; a plain regular expression is short for matches.",
    )
    min_answers: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="Minimum number of records; "
        "default: 1, or 0 if a response code other than NOERROR is expected.",
    )
    recursion: bool = Field(default=True, description="Ask the server to resolve recursively.")
    ip: IpProtocol = Field(default="any", description="Address family for reaching the server.")


def dns_shorthand(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value
