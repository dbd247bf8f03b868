"""The key `http` of a probe: one request and the conditions on its response."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.keys.probes.http_conditions import (
    BodyConditions,
    HeaderCondition,
    JsonCondition,
    body_shorthand,
    header_shorthand,
    json_shorthand,
)
from exporter.catalog.keys.probes.tls import Tls
from exporter.catalog.values.constants import DEFAULT_MAX_JSON_BYTES, MAX_MAX_JSON_BYTES
from exporter.catalog.values.network import (
    HeaderName,
    IpProtocol,
    Port,
    Statuses,
    Url,
    UrlPath,
    check_url,
)
from exporter.catalog.values.references import Secret, Template, TextTemplate, parse_template
from exporter.catalog.values.scalars import JsonPath, Regex, Size, Text, value_type
from exporter.catalog.values.texts import PathText, UrlText
from exporter.catalog.values.words import shown


def _parse_redirects(value: object) -> int:
    """Return how many redirects to follow; -1 for `off`, which checks the redirect itself."""
    if value is False or value == "off":
        return -1
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100:
        return value
    raise ValueError(f"{shown(value)} is not a number of redirects; write one from 0 to 100, or off")


def _parse_proxy(value: object) -> TextTemplate:
    """Parse the URL of a proxy, which must not hold a literal password."""
    template = parse_template(value)
    if isinstance(value, str):
        scheme, separator, rest = value.partition("://")
        bare = f"{scheme}{separator}{rest.rpartition('@')[2]}"
        if "${" not in bare:
            check_url(bare, ("http", "https", "socks5"))
    return template


Proxy = Annotated[
    TextTemplate,
    PlainValidator(_parse_proxy),
    WithJsonSchema({"type": ["string", "object"], "title": "URL, perhaps with references"}),
]


def _check_max_json(size: int) -> int:
    if size > MAX_MAX_JSON_BYTES:
        raise ValueError("more than 1Mi of JSON would delay other probes; write 1Mi or less, or use body")
    return size


Redirects = Annotated[
    int,
    *value_type(
        _parse_redirects,
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 100}, {"enum": ["off", False]}]},
        "number or off",
    ),
]


def _parse_method(value: object) -> str:
    if not isinstance(value, str) or not _METHOD.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a method; write one such as GET, HEAD or POST")
    return value.upper()


_METHOD = re.compile("[A-Za-z]+")
Method = Annotated[str, *value_type(_parse_method, {"type": "string", "pattern": "^[A-Za-z]+$"}, "method")]


class BasicAuth(Model):
    """A user name and a password, sent with each request."""

    username: Template = Field(description="The user name.")
    password: Secret = Field(description="The password, by reference.")


class HttpProbe(Model):
    """One HTTP request and the conditions on its response."""

    url: UrlText | None = Field(
        default=None, description="The whole URL; default: scheme, address of the service, and path."
    )
    path: PathText = Field(
        default="/", description="Path, optionally with a query, at the service's address."
    )
    scheme: Literal["http", "https"] = Field(default="http", description="With path: the URL's scheme.")
    port: Port | None = Field(default=None, description="With path: the port; default: the service's.")
    method: Method = Field(default="GET", description="HTTP method.")
    headers: dict[HeaderName, Template] = Field(
        default={}, description="Headers of the request; values may hold references."
    )
    send: Template | None = Field(default=None, description="The body of the request.")
    status: Statuses = Field(
        default=((200, 299),),
        description="Status codes that count as success: 200, 2xx, 200-299 or a list.",
        json_schema_extra={"default": "2xx"},
    )
    versions: Annotated[tuple[Literal["1.0", "1.1", "2"], ...], one_or_many(Text)] = Field(
        default=(),
        description="HTTP versions that count as success, in quotes; default: any. Over TLS, only these are offered.",
    )
    body: Annotated[
        BodyConditions,
        BeforeValidator(body_shorthand, json_schema_input_type=BodyConditions | Text | tuple[Text, ...]),
    ] = Field(
        default=BodyConditions(),
        description="Conditions on the response body; plain text is short for contains.",
    )
    json_conditions: Annotated[
        tuple[
            Annotated[
                JsonCondition,
                BeforeValidator(json_shorthand, json_schema_input_type=JsonCondition | JsonPath),
            ],
            ...,
        ],
        one_or_many(JsonCondition | JsonPath),
    ] = Field(
        default=(), alias="json", description="Conditions on a JSON body; a plain path must select something."
    )
    header: dict[
        HeaderName,
        Annotated[
            HeaderCondition,
            BeforeValidator(header_shorthand, json_schema_input_type=HeaderCondition | Regex),
        ],
    ] = Field(
        default={},
        description="Conditions on the response headers; a plain regular expression is short for matches.",
    )
    redirects: Redirects = Field(
        default=10,
        description="How many redirects to follow; off follows no redirect and checks the redirect itself.",
    )
    tls: Tls = Field(default=Tls(), description="TLS settings of an https URL.")
    basic_auth: BasicAuth | None = Field(default=None, description="Basic authentication.")
    bearer_token: Secret | None = Field(default=None, description="A bearer token, by reference.")
    proxy: Proxy | None = Field(
        default=None, description="URL of a proxy; its password, if any, by reference."
    )
    ip: IpProtocol = Field(
        default="any", description="Address family: one only, one first, or whichever answers first."
    )
    max_body: Size = Field(
        default=10 * 1024 * 1024,
        description="A larger body is a failure.",
    )
    max_json: Annotated[Size, AfterValidator(_check_max_json)] = Field(
        default=DEFAULT_MAX_JSON_BYTES,
        description="A larger body is a failure if json has conditions; 1Mi at most.",
    )
    http2_prior_knowledge: bool = Field(
        default=False,
        description="Use HTTP/2 from the first byte, without ALPN; also without TLS (h2c).",
    )
    compression: Literal["gzip", "deflate"] | None = Field(
        default=None, description="Required content encoding."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        check_place(self, self.url)
        if self.http2_prior_knowledge and self.versions and "2" not in self.versions:
            raise ValueError("http2_prior_knowledge uses only HTTP/2, but versions does not list it")
        return self


def check_place(probe: Model, url: str | None) -> None:
    """Check that no part of the address is written next to a whole `url`.

    Raises:
        ValueError: some part is.
    """
    parts = [key for key in ("path", "scheme", "port") if key in probe.model_fields_set]
    if url is not None and parts:
        raise ValueError(f"url is the whole address; remove {' and '.join(parts)}")


def http_shorthand(value: object) -> object:
    """Return the long form of `/path` or `https://…`."""
    if not isinstance(value, str):
        return value
    return {"path": value} if value.startswith("/") else {"url": value}


HttpProbeOrShort = Annotated[
    HttpProbe, BeforeValidator(http_shorthand, json_schema_input_type=HttpProbe | UrlPath | Url)
]
