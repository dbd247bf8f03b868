"""Messages for an engine that could not be reached, with what to do."""

from __future__ import annotations

import errno
import re
import ssl
from typing import TYPE_CHECKING

import httpcore

if TYPE_CHECKING:
    from exporter.catalog.planning.plan import Endpoint

_ERRNO_WORDS = {
    errno.ENOENT: "has no socket there; is it installed, and is the socket mounted?",
    errno.ECONNREFUSED: "is not running: connection refused",
    errno.EACCES: "refuses the exporter: permission denied on the Docker socket; run it in the socket's group",
    errno.ENOTDIR: "has no socket there; is it installed, and is the socket mounted?",
    errno.EHOSTUNREACH: "cannot be reached: no route to the host",
    errno.ENETUNREACH: "cannot be reached: no route to the network",
}


_CLOSED = re.compile("disconnected|closed connection")
"""httpcore's and h11's messages for an early end; their other protocol errors mean that the peer speaks no HTTP."""


def why(error: BaseException, endpoint: Endpoint) -> str:
    """Return the text that continues "the Docker engine at ADDRESS" for a call that ended with `error`."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"presents a certificate that is not trusted: {seen.verify_message}"
        if isinstance(seen, ssl.SSLError):
            return f"cannot be reached over TLS: {seen.reason or seen}"
        if isinstance(seen, OSError) and seen.errno in _ERRNO_WORDS:
            return _ERRNO_WORDS[seen.errno]
        if isinstance(seen, OSError) and not isinstance(seen, TimeoutError) and seen.strerror:
            return f"cannot be reached: {seen.strerror}"
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, httpcore.ConnectError):
        return "cannot be reached"
    plain = "" if endpoint.tls else "; does it require TLS?"
    if isinstance(error, httpcore.RemoteProtocolError) and not _CLOSED.search(str(error)):
        return f"does not speak HTTP{plain if endpoint.socket is None else ''}"
    return "closed the connection"
