"""The key `dns` of a probe: one question and what its answer must be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.addresses import split_address
from exporter.catalog.values.network import Host, IpProtocol
from exporter.catalog.values.scalars import Regex


class DnsAnswers(Model):
    """What the text of the answer's records must be."""

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
    """One DNS question and what its answer must be."""

    name: Host = Field(description="The name that is asked for.")
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
        default=None, description="The DNS server, perhaps with a port; default: the system's resolvers."
    )
    transport: Literal["udp", "tcp"] = Field(default="udp", description="How the question travels.")
    rcodes: Annotated[tuple[Rcode, ...], one_or_many(Rcode)] = Field(
        default=("NOERROR",), description="Response codes that count as success."
    )
    answers: Annotated[
        DnsAnswers,
        BeforeValidator(_answers_shorthand, json_schema_input_type=DnsAnswers | Regex | tuple[Regex, ...]),
    ] = Field(
        default=DnsAnswers(),
        description="What the records must be; a plain regular expression is short for matches.",
    )
    min_answers: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="How many records there must be at least; "
        "default: 1, or 0 where a response code other than NOERROR is expected.",
    )
    recursion: bool = Field(default=True, description="Whether the server is asked to resolve recursively.")
    ip: IpProtocol = Field(default="any", description="Address family of the way to the server.")


def _dns_shorthand(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value
