"""TLS and logins of the daemon's web server, and Prometheus's settings for them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from exporter.catalog.base import AbsenceError, Model, one_or_many
from exporter.catalog.values.network import Host
from exporter.catalog.values.references import NamedSecret, TextTemplate, parse_template
from exporter.catalog.values.scalars import Text, parse_text, text_schema, value_type
from exporter.catalog.values.words import shown, suggestion


def _parse_key(value: object) -> str | TextTemplate:
    """Parse the name of a file, or one of the catalog's secrets."""
    if isinstance(value, dict):
        return parse_named(value)
    return parse_text(value)


def parse_named(value: object) -> TextTemplate:
    """Parse one of the catalog's `secrets`: it is a file in the container, and is read again when it changes.

    Raises:
        ValueError: it is something else. The message never holds it.
    """
    template = parse_template(value)
    if len(template.parts) != 1 or not isinstance(template.parts[0], NamedSecret):
        raise ValueError(
            "only one of the catalog's secrets can be here, because it is mounted as a file; write {secret: NAME}"
        )
    return template


def _parse_user(value: object) -> str:
    name = parse_text(value)
    if not name or ":" in name or not name.isprintable():
        raise ValueError(f"{shown(name)} is not a user name; write one without a colon")
    return name


_NAMED_SCHEMA = {
    "type": "object",
    "properties": {"secret": {"type": "string", "minLength": 1}},
    "additionalProperties": False,
    "required": ["secret"],
}
User = Annotated[str, *value_type(_parse_user, text_schema(r"^[^:]+$", "prometheus"), "user name")]
Named = Annotated[TextTemplate, *value_type(parse_named, _NAMED_SCHEMA, "secret reference")]
KeyFile = Annotated[
    str | TextTemplate,
    *value_type(_parse_key, {"anyOf": [{"type": "string", "minLength": 1}, _NAMED_SCHEMA]}, "file or secret"),
]


class Clients(Model):
    """Required client certificates, and the one of Prometheus."""

    ca: Text = Field(description="File of the certificate authorities that issue them.")
    names: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(),
        description="The certificate must have one of these names: DNS, address, e-mail or URI; default: any name.",
    )
    certificate: Text = Field(description="File of the certificate that Prometheus presents.")
    key: KeyFile = Field(description="The key of that certificate: a file, or one of the catalog's secrets.")


class WebTls(Model):
    """HTTPS settings."""

    certificate: Text = Field(
        description="File of the certificate, followed by its intermediate certificates."
    )
    key: KeyFile = Field(description="Its key: a file, or one of the catalog's secrets.")
    ca: Text | None = Field(
        default=None,
        description="File of the certificate authorities that Prometheus trusts; default: the system's.",
    )
    server_name: Host | None = Field(
        default=None, description="Name that Prometheus expects in the certificate; default: exporter."
    )
    min_version: Literal["1.2", "1.3"] = Field(
        default="1.2", description="Lowest TLS version that is accepted, in quotes."
    )
    clients: Clients | None = Field(default=None, description="Require clients to present a certificate.")


class Web(Model):
    """Access to the daemon's web server."""

    tls: WebTls | None = Field(default=None, description="Serve HTTPS in place of HTTP.")
    users: dict[User, Named] = Field(
        default={}, description="User names, and the secret that holds the password of each."
    )
    username: User | None = Field(
        default=None, description="User that Prometheus logs in as; default: the first."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.tls is None and not self.users:
            raise AbsenceError("needs tls or users; remove it to serve HTTP without a login")
        if self.username is not None and self.username not in self.users:
            raise AbsenceError(f"username is not one of the users; {suggestion(self.username, self.users)}")
        return self

    @property
    def scraper(self) -> tuple[str, TextTemplate] | None:
        """Return the user name and password that Prometheus logs in with; None if there are no logins."""
        name = self.username or next(iter(self.users), None)
        return None if name is None else (name, self.users[name])
