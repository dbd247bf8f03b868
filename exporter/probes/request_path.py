"""The path and query of a request that hold references, read anew for each run, since a secret may be rotated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from exporter.catalog.secrets import SecretError
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http_request import PATH_SAFE, Endpoint

if TYPE_CHECKING:
    from exporter.catalog.secrets import SecretText
    from exporter.peer_text import Secrets


def resolved(endpoint: Endpoint, request_path: SecretText | None, secrets: Secrets) -> Endpoint:
    """The endpoint with the values in its path and query, which `secrets` then knows.

    A value is percent-encoded as a whole: it is data in its place, and changes neither the host nor the parameters
    around it, nor can it end the request line.

    Raises:
        ProbeFailure: `secret`, when a reference cannot be read.
    """
    if request_path is None:
        return endpoint
    text = ""
    try:
        for part in request_path.parts:
            if isinstance(part, str):
                text += quote(part, safe=PATH_SAFE)
            else:
                value = part.read()
                secrets.add(value)
                text += quote(value, safe="")
    except SecretError as error:
        raise ProbeFailure(Reason.SECRET, str(error)) from None
    return replace(endpoint, path=text if text.startswith("/") else f"/{text}")
