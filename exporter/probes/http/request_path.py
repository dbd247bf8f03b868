"""The path and query of a request that hold references, read again for each run, since a secret may be rotated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from exporter.catalog.values.secret_text import SecretText
from exporter.probes.http.request import PATH_SAFE, Endpoint

if TYPE_CHECKING:
    from exporter.probes.http.request import Read


def resolved(endpoint: Endpoint, request_path: SecretText | None, read: Read) -> Endpoint:
    """The endpoint with the values in its path and query.

    A value is percent-encoded as a whole: it is data in its place, and changes neither the host nor the parameters
    around it, nor can it end the request line.

    Raises:
        ProbeFailure: as `read`.
    """
    if request_path is None:
        return endpoint
    text = "".join(
        quote(part, safe=PATH_SAFE) if isinstance(part, str) else quote(read(SecretText((part,))), safe="")
        for part in request_path.parts
    )
    return replace(endpoint, path=text if text.startswith("/") else f"/{text}")
