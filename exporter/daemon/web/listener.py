"""The socket on which the daemon listens."""

from __future__ import annotations

import errno
import logging
import socket

from exporter.probes.net.connect import shown

BACKLOG = 1024
"""Connections that wait to be accepted: a burst of hostile ones should not block a scrape."""
BUFFER_BYTES = 64 * 1024
"""The kernel's buffer for each direction of a connection. By default it can hold megabytes for a client that does not
read, and they count against the container's memory."""

log = logging.getLogger(__name__)


class ListenError(Exception):
    """The web address cannot be used. One sentence."""


def listen(host: str, port: int, *, or_another: bool = False) -> socket.socket:
    """Return a listening socket; with `or_another`, on any free port if the given one is in use.

    Raises:
        ListenError: the address cannot be used; the message has the address and the reason.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):  # connections inherit them
            listener.setsockopt(socket.SOL_SOCKET, buffer, BUFFER_BYTES)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if or_another and error.errno == errno.EADDRINUSE:
            log.warning("port %d is in use; serving on another port", port)
            return listen(host, 0)
        hint = " (is another exporter running?)" if error.errno == errno.EADDRINUSE else ""
        raise ListenError(
            f"cannot listen on {host}:{port}: {error.strerror}{hint}; "
            "choose another address with exporter.listen in the catalog, or --listen"
        ) from None
    listener.setblocking(False)
    return listener


def address_shown(listener: socket.socket, *, secure: bool = False) -> str:
    """Return the URL to open in a browser on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 - shown, not listened on
    return f"{'https' if secure else 'http'}://{shown(host, port)}/"
