"""Path and query with secrets, which are read again for each run because they may be rotated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from exporter.catalog.values.secret_text import SecretText
from exporter.probes.http.request import PATH_SAFE, Endpoint

if TYPE_CHECKING:
    from exporter.probes.http.request import Read


def resolved(endpoint: Endpoint, request_path: SecretText | None, read: Read) -> Endpoint:
    """Return the endpoint with the secrets filled into its path and query.

    A value is percent-encoded as a whole, so it cannot change the host or other parameters, or end the request line.

    Raises:
        ProbeFailure: those of `read`.
    """
    if request_path is None:
        return endpoint
    text = "".join(
        quote(part, safe=PATH_SAFE) if isinstance(part, str) else quote(read(SecretText((part,))), safe="")
        for part in request_path.parts
    )
    return replace(endpoint, path=text if text.startswith("/") else f"/{text}")
