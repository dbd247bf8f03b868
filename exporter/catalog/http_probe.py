"""HTTP probes and TLS as they are written."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from exporter.catalog.base import AbsenceError, Model, one_or_many
from exporter.catalog.network import HeaderName, Host, IpProtocol, Statuses, Url, UrlPath, check_url
from exporter.catalog.problems import shown
from exporter.catalog.references import Secret, Template, TextTemplate, parse_template
from exporter.catalog.specs import DEFAULT_MAX_JSON_BYTES, MAX_MAX_JSON_BYTES
from exporter.catalog.texts import PathText, UrlText
from exporter.catalog.values import JsonPath, Regex, Size, Text, Words, text_schema, unescaped, value_type

Port = Annotated[int, Field(ge=1, le=65535)]


def _parse_redirects(value: object) -> int:
    """How many to follow; -1 is `off`, which judges the redirect itself."""
    if value is False or value == "off":
        return -1
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100:
        return value
    raise ValueError(f"{shown(value)} is not a number of redirects; write one from 0 to 100, or off")


def _parse_proxy(value: object) -> TextTemplate:
    """A URL whose user name and password, if any, hold no literal password."""
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
        raise ValueError("more than 1Mi of JSON would hold up other probes; write 1Mi or less, or use body")
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


def _parse_ciphers(value: object) -> str:
    """OpenSSL's list of cipher suites, in one text.

    OpenSSL passes over each name that it does not know while one is left, so a slip would go unnoticed.
    """
    if not isinstance(value, str):
        example = "ECDHE+AESGCM:!aNULL"
        raise ValueError(f"{shown(value)} is not a list of ciphers; write one such as {example}")  # noqa: TRY004 - pydantic collects ValueErrors
    names = [name for name in re.split(r"[:, ]+", value) if name]
    for name in names:
        if name.startswith("TLS_"):
            raise ValueError(f"{shown(name)} belongs to TLS 1.3, whose ciphers cannot be chosen")
        if not _CIPHER.fullmatch(name) or not (
            name.startswith(("@", "!", "-")) or _is_cipher(name.lstrip("+"))
        ):
            raise ValueError(
                f"{shown(name)} is no cipher that OpenSSL has here; for the names, run: openssl ciphers"
            )
    if not _is_cipher(":".join(names)):
        raise ValueError(f"{shown(value)} leaves no cipher")
    return ":".join(names)


_CIPHER = re.compile(r"[!+-]?[A-Za-z0-9][A-Za-z0-9_.+-]*|@SECLEVEL=[0-5]|@STRENGTH")


def _is_cipher(names: str) -> bool:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.set_ciphers(names if "@SECLEVEL" in names else f"{names}:@SECLEVEL=0")
    except ssl.SSLError:
        return False
    return True


Ciphers = Annotated[str, *value_type(_parse_ciphers, text_schema(".", "ECDHE+AESGCM:!aNULL"), "cipher list")]


class Tls(Model):
    """How a TLS connection is made and judged."""

    verify: bool = Field(
        default=True,
        description="Whether an untrusted or expired certificate, or one of another name, is a failure.",
    )
    server_name: Host | None = Field(
        default=None,
        description="The name that is asked for and that the certificate must have; default: the host.",
    )
    min_version: Literal["1.0", "1.1", "1.2", "1.3"] | None = Field(
        default=None, description="The lowest TLS version that is accepted, in quotes; default: 1.2."
    )
    max_version: Literal["1.0", "1.1", "1.2", "1.3"] | None = Field(
        default=None, description="The highest TLS version that is offered, in quotes."
    )
    ciphers: Ciphers | None = Field(
        default=None,
        description="Cipher suites to offer up to TLS 1.2, as OpenSSL lists them; default: OpenSSL's own list.",
    )
    ca: Words | None = Field(
        default=None,
        description="File of the certificates to trust, in place of the system's authorities; an intermediate one is "
        "enough. This file and the next two are read again when they change.",
    )
    certificate: Words | None = Field(default=None, description="File of the client's certificate.")
    key: Words | None = Field(default=None, description="File of the client certificate's key.")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if self.key and not self.certificate:
            raise AbsenceError("a key without a certificate proves nothing; write certificate too")
        lowest = self.min_version or "1.2"
        if self.max_version is not None and self.max_version < lowest:
            default = "" if self.min_version else ", the default; write min_version too"
            raise ValueError(f"max_version {self.max_version} is below min_version {lowest}{default}")
        return self


class BasicAuth(Model):
    """A user name and a password, sent with each request."""

    username: Template = Field(description="The user name.")
    password: Secret = Field(description="The password, by reference.")


class BodyConditions(Model):
    """What the answer's body must hold. Every line must be met; each takes one text or a list."""

    contains: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(), description="Literal text that must be there."
    )
    absent: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(), description="Literal text that must not be there."
    )
    matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field(
        default=(), description="Regular expressions that must match."
    )
    not_matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field(
        default=(), description="Regular expressions that must not match."
    )


def _body_shorthand(value: object) -> object:
    return value if isinstance(value, dict) else {"contains": value}


def _plain_json(value: object) -> object:
    """Return a JSON value with `${` in place of each `$${`."""
    if isinstance(value, str):
        return unescaped(value)
    if isinstance(value, dict):
        return {unescaped(key): _plain_json(inner) for key, inner in value.items()}
    return tuple(_plain_json(inner) for inner in value) if isinstance(value, tuple) else value


class JsonCondition(Model):
    """A JSON path (RFC 9535) and what it selects must be. With neither equals nor matches: at least one value."""

    path: JsonPath = Field(description="The path, such as $.status.")
    equals: Annotated[Any, BeforeValidator(_plain_json), WithJsonSchema({"title": "JSON value"})] = Field(
        default=None, description="One value must equal this: text, number, boolean, list or mapping."
    )
    matches: Regex | None = Field(default=None, description="The text of one value must match.")
    absent: bool = Field(default=False, description="Turns the condition round: no value may be so.")

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if "equals" in self.model_fields_set and self.matches is not None:
            raise ValueError("equals and matches exclude each other; write two conditions")
        if isinstance(self.equals, float) and not isfinite(self.equals):
            raise ValueError("equals is no number that JSON has")
        return self

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

    matches: Regex | None = Field(default=None, description="The value must match.")
    not_matches: Regex | None = Field(
        default=None, description="The value must not match; a missing header passes."
    )
    absent: bool = Field(default=False, description="The header must not be there at all.")

    @model_validator(mode="after")
    def _some_condition(self) -> Self:
        if self.absent and (self.matches is not None or self.not_matches is not None):
            raise ValueError("a header that must be absent has nothing to match")
        if not self.absent and self.matches is None and self.not_matches is None:
            raise AbsenceError("needs matches, not_matches or absent")
        return self


def _header_shorthand(value: object) -> object:
    return value if isinstance(value, dict) else {"matches": value}


class HttpProbe(Model):
    """One HTTP request and what its answer must be."""

    url: UrlText | None = Field(
        default=None, description="The whole URL; default: scheme, address of the service, and path."
    )
    path: PathText = Field(
        default="/", description="The path, perhaps with a query, at the service's address."
    )
    scheme: Literal["http", "https"] = Field(default="http", description="With path: the URL's scheme.")
    port: Port | None = Field(default=None, description="With path: the port; default: the service's.")
    method: Method = Field(default="GET", description="The method.")
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
        description="HTTP versions that count as success, in quotes; default: any. TLS offers what is listed here.",
    )
    body: Annotated[
        BodyConditions,
        BeforeValidator(_body_shorthand, json_schema_input_type=BodyConditions | Text | tuple[Text, ...]),
    ] = Field(
        default=BodyConditions(),
        description="What the answer's body must hold; plain text is short for contains.",
    )
    json_conditions: Annotated[
        tuple[
            Annotated[
                JsonCondition,
                BeforeValidator(_json_shorthand, json_schema_input_type=JsonCondition | JsonPath),
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
            BeforeValidator(_header_shorthand, json_schema_input_type=HeaderCondition | Regex),
        ],
    ] = Field(
        default={},
        description="Conditions on the answer's headers; a plain regular expression is short for matches.",
    )
    redirects: Redirects = Field(
        default=10,
        description="How many redirects are followed; off follows none and judges the redirect itself.",
    )
    tls: Tls = Field(default=Tls(), description="TLS of an https URL.")
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
        json_schema_extra={"default": "10Mi"},
    )
    max_json: Annotated[Size, AfterValidator(_check_max_json)] = Field(
        default=DEFAULT_MAX_JSON_BYTES,
        description="A larger body is a failure where json has conditions; 1Mi at most.",
        json_schema_extra={"default": "256Ki"},
    )
    http2_prior_knowledge: bool = Field(
        default=False,
        description="Speak HTTP/2 from the first byte, without asking by ALPN; also without TLS (h2c).",
    )
    compression: Literal["gzip", "deflate"] | None = Field(
        default=None, description="The body must arrive compressed so."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        check_place(self, self.url)
        if self.http2_prior_knowledge and self.versions and "2" not in self.versions:
            raise ValueError("http2_prior_knowledge speaks HTTP/2 alone, and versions does not list it")
        return self


def check_place(probe: Model, url: str | None) -> None:
    """See that nothing of the address stands beside a whole `url`.

    Raises:
        ValueError: something does.
    """
    parts = [key for key in ("path", "scheme", "port") if key in probe.model_fields_set]
    if url is not None and parts:
        raise ValueError(f"url is whole; take {' and '.join(parts)} out")


def http_shorthand(value: object) -> object:
    """`/path` or `https://…` in place of the mapping."""
    if not isinstance(value, str):
        return value
    return {"path": value} if value.startswith("/") else {"url": value}


HttpProbeOrShort = Annotated[
    HttpProbe, BeforeValidator(http_shorthand, json_schema_input_type=HttpProbe | UrlPath | Url)
]
