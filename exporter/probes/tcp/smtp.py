"""Minimal SMTP (RFC 5321) to start TLS by STARTTLS (RFC 3207) and to end the session with QUIT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from exporter.probes.measure import Run
    from exporter.probes.net.stream import LineStream


async def before_tls(stream: LineStream, run: Run) -> None:
    """Talk SMTP from the greeting up to the TLS handshake.

    Raises:
        ProbeFailure: `protocol` for a refusal, with the server's line; those of `LineStream.line`.
    """
    await _reply(stream, run, "220", "greeting")
    offered = await _ehlo(stream, run)
    if b"STARTTLS" not in offered:
        raise ProbeFailure(Reason.PROTOCOL, "the server does not offer STARTTLS")
    stream.send(b"STARTTLS\r\n")
    await _reply(stream, run, "220", "answer to STARTTLS")


async def after_tls(stream: LineStream, run: Run) -> None:
    """Send EHLO again, since everything before TLS is discarded (RFC 3207 section 4.2).

    Raises:
        ProbeFailure: those of `before_tls`.
    """
    await _ehlo(stream, run)


async def leave(stream: LineStream, run: Run) -> None:
    """Send QUIT and wait for any answer: servers log clients that just disconnect."""
    stream.send(b"QUIT\r\n")
    run.awaited = "the answer to QUIT"
    await stream.line()


async def _ehlo(stream: LineStream, run: Run) -> set[bytes]:
    """Return the keywords of the extensions that the server offers, in capitals."""
    # A client without a host name sends an address literal (RFC 5321 section 4.1.4).
    address = str(stream.transport.get_extra_info("sockname")[0]).partition("%")[0]
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    stream.send(f"EHLO {literal}\r\n".encode())
    lines = await _reply(stream, run, "250", "answer to EHLO")
    return {line[4:].split(b" ")[0].upper() for line in lines[1:]}


async def _reply(stream: LineStream, run: Run, code: str, what: str) -> list[bytes]:
    """Return the lines of one reply: all but the last have a hyphen after the code (RFC 5321 section 4.2.1)."""
    run.awaited = f"the SMTP {what}"
    lines: list[bytes] = []
    while True:
        line = await stream.line()
        if line is None:
            raise ProbeFailure(Reason.DISCONNECT, f"connection closed before the SMTP {what} was complete")
        lines.append(line)
        if not line.startswith(code.encode()) or line[3:4] not in (b" ", b"-", b""):
            raise ProbeFailure(Reason.PROTOCOL, "the SMTP {} is {}, expected {}", what, PeerText(line), code)
        if line[3:4] != b"-":
            return lines
