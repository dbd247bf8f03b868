"""The contract that every protocol keeps, and the closed list of reasons a probe can fail for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from exporter.peer_text import Secrets, Sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.peer_text import PeerText


class Reason(StrEnum):
    """Why a probe ended as it did; the value of the `reason` label, so the list is closed. `MEANINGS` explains it."""

    OK = "ok"
    TIMEOUT = "timeout"
    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    CERTIFICATE = "certificate"
    DISCONNECT = "disconnect"
    PROTOCOL = "protocol"
    VERSION = "version"
    REDIRECT = "redirect"
    STATUS = "status"
    HEADER = "header"
    SIZE = "size"
    ENCODING = "encoding"
    BODY = "body"
    ANSWER = "answer"
    LOGIN = "login"
    FULL = "full"
    MISSING = "missing"
    LOCKED = "locked"
    CORRUPT = "corrupt"
    UNREACHABLE = "unreachable"
    PERMISSION = "permission"
    SECRET = "secret"  # noqa: S105 - the name of a reason, not a password
    INTERNAL = "internal"


MEANINGS: Mapping[Reason, str] = {
    Reason.OK: "Every condition was met.",
    Reason.TIMEOUT: "The deadline passed; the detail names the phase that was waiting.",
    Reason.RESOLVE: "The name has no address, or no DNS server answered.",
    Reason.CONNECT: "No address accepted a connection.",
    Reason.TLS: "The TLS handshake failed, or agreed on less than the minimum version.",
    Reason.CERTIFICATE: "The certificate is expired, untrusted, or of another name.",
    Reason.DISCONNECT: "The peer closed or reset the connection before its answer was complete.",
    Reason.PROTOCOL: "What came back is not the protocol that was asked for.",
    Reason.VERSION: "The answer came in an HTTP version that is not on the list.",
    Reason.REDIRECT: "The redirects loop, are too many, or lead nowhere that can be asked.",
    Reason.STATUS: "The status code, or the serving status, is not among those expected.",
    Reason.HEADER: "A header is missing or does not match.",
    Reason.SIZE: "The body is larger than the limit.",
    Reason.ENCODING: "The body is not compressed as expected, or cannot be decompressed.",
    Reason.BODY: "The body, or the JSON or text in it, does not match.",
    Reason.ANSWER: "The DNS response code or the records are not those expected, or a store answered with an error.",
    Reason.LOGIN: "The peer refused the user, the password or the token.",
    Reason.FULL: "The store takes no more connections.",
    Reason.MISSING: "The file of the store is not there, or the exporter does not see the volume that holds it.",
    Reason.LOCKED: "Another process held the file of the store locked for the whole of the deadline; it is not broken.",
    Reason.CORRUPT: "The file of the store is damaged, or no database at all.",
    Reason.UNREACHABLE: "The network reported that the host cannot be reached.",
    Reason.PERMISSION: "This process may not open the socket, or the file, that the probe needs.",
    Reason.SECRET: "A secret that the probe refers to cannot be read.",
    Reason.INTERNAL: "A defect of the exporter itself; the log has the details.",
}


class Void(StrEnum):
    """Why a run says nothing about its target; the value of a label. `VOID_MEANINGS` explains it."""

    STALL = "stall"
    DESCRIPTORS = "descriptors"
    MEMORY = "memory"
    PORTS = "ports"
    THREADS = "threads"


VOID_MEANINGS: Mapping[Void, str] = {
    Void.STALL: "the exporter's event loop was held up",
    Void.DESCRIPTORS: "the exporter is out of file descriptors",
    Void.MEMORY: "the exporter's machine is out of memory or network buffers",
    Void.PORTS: "the exporter's machine is out of local ports",
    Void.THREADS: "the exporter can start no more threads",
}
"""What ends the sentence 'a run is void: …'."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one run measured, and nothing that it did not.

    `phases`: seconds by phase name (HTTP: resolve, connect, tls, processing, transfer). A phase that was never
    entered is absent. `facts`: values by the names that the protocol's `families.py` has for them; one that was not
    measured is absent. `detail`: one sentence for a person, empty on success; never holds a secret. `void`: set where
    the exporter could not do its part; then nothing else of the result may be used.
    """

    success: bool
    reason: Reason
    duration_seconds: float
    phases: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, float | str] = field(default_factory=dict)
    detail: str = ""
    void: Void | None = None


class Probe(Protocol):
    """One compiled target of one protocol."""

    async def run(self, deadline: float) -> ProbeResult:
        """Ask once and judge the answer. Ends by `deadline` (of the running loop's clock); never raises
        anything but `asyncio.CancelledError`, and leaves no socket open.
        """


class ProbeFailure(Exception):  # noqa: N818 - a probe's verdict on its way up, not an error of the program
    """Raised inside a protocol module to end a run with `reason` and one sentence of detail.

    The sentence is a template with a `{}` for each of `words`. What the peer said goes in as `PeerText` and in no
    other way: `ProbeFailure(Reason.HEADER, "header {} is {}", name, PeerText(value))`.
    """

    def __init__(self, reason: Reason, detail: str, *words: PeerText | str | int) -> None:
        super().__init__(detail)
        self.reason = reason
        self.sentence = Sentence(detail, *words)

    @property
    def detail(self) -> str:
        """The sentence as far as it is known without the secrets of the run: for text of ours alone."""
        return self.sentence.shown(Secrets())
