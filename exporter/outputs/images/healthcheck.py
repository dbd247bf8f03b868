"""Exit with 0 if this container is healthy. Its health check runs this with the standard library only.

usage: healthcheck.py URL METHOD SECONDS FIRST-LAST...   sends a request; its status must be in one of the ranges
       healthcheck.py PORT SECONDS                       connects to the port

Redirects are followed, certificates are not verified, proxies are not used.
"""

from __future__ import annotations

import socket
import ssl
import sys
import urllib.request
from typing import Any


class AnyStatus(urllib.request.HTTPDefaultErrorHandler):
    """A handler that returns answers of any status instead of raising."""

    def http_error_default(self, req: Any, fp: Any, *_: Any) -> Any:  # noqa: ARG002 - the library's signature
        return fp


def ask(url: str, method: str, seconds: str, *healthy: str) -> None:
    opener = urllib.request.build_opener(
        AnyStatus(),
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),  # noqa: S323 - its own service
    )
    request = urllib.request.Request(url, method=method)  # noqa: S310 - the catalog's own URL
    status = opener.open(request, timeout=float(seconds)).status
    ranges = [[int(code) for code in text.split("-")] for text in healthy]
    if not any(first <= status <= last for first, last in ranges):
        sys.exit(f"{url} answered {status}")


def connect(port: str, seconds: str) -> None:
    socket.create_connection(("127.0.0.1", int(port)), float(seconds)).close()


if __name__ == "__main__":
    if len(sys.argv) == len(("", "PORT", "SECONDS")):
        connect(*sys.argv[1:])
    else:
        ask(*sys.argv[1:])
