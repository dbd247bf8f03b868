"""The key `tls` of probes and stores."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from exporter.catalog.base import AbsenceError, Model
from exporter.catalog.values.network import (
    Host,
)
from exporter.catalog.values.scalars import Words, text_schema, value_type
from exporter.catalog.values.words import shown


def _parse_ciphers(value: object) -> str:
    """Parse OpenSSL's list of cipher suites, in one text.

    OpenSSL ignores unknown names as long as one known name is left, so a typo would go unnoticed.
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
                f"{shown(name)} is not a cipher of the installed OpenSSL; for the names, run: openssl ciphers"
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
    """Settings and checks of a TLS connection."""

    verify: bool = Field(
        default=True,
        description="Fail if the certificate is untrusted, expired, or for another name.",
    )
    server_name: Host | None = Field(
        default=None,
        description="Name to ask for (SNI), which the certificate must have; default: the host.",
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
        description="File of the certificates to trust in place of the system's authorities; an intermediate one is "
        "enough. This file and the next two are read again when they change.",
    )
    certificate: Words | None = Field(default=None, description="File of the client's certificate.")
    key: Words | None = Field(default=None, description="File of the client certificate's key.")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if self.key and not self.certificate:
            raise AbsenceError("a key is useless without its certificate; also write certificate")
        lowest = self.min_version or "1.2"
        if self.max_version is not None and self.max_version < lowest:
            default = "" if self.min_version else ", the default; also write min_version"
            raise ValueError(f"max_version {self.max_version} is below min_version {lowest}{default}")
        return self
