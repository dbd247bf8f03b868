"""Interface of every protocol, and the closed list of reasons why a probe can fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from exporter.peer_text import Secrets, Sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.peer_text import PeerText


class Reason(StrEnum):
    """The cause of a probe's result: the value of the `reason` label, so the list is closed. See `MEANINGS`."""

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
    Reason.TLS: "The TLS handshake failed, or negotiated less than the minimum version.",
    Reason.CERTIFICATE: "The certificate is expired, untrusted, or for another name.",
    Reason.DISCONNECT: "The peer closed or reset the connection before its answer was complete.",
    Reason.PROTOCOL: "The answer is not in the expected protocol.",
    Reason.VERSION: "The answer uses an HTTP version that is not on the list.",
    Reason.REDIRECT: "The redirects loop, are too many, or lead to a URL that cannot be requested.",
    Reason.STATUS: "The status code, or the serving status, is not among those expected.",
    Reason.HEADER: "A header is missing or does not match.",
    Reason.SIZE: "The body is larger than the limit.",
    Reason.ENCODING: "The body is not compressed as expected, or cannot be decompressed.",
    Reason.BODY: "The body, or the JSON or text in it, does not match.",
    Reason.ANSWER: "The DNS response code or the records are not as expected, or a store answered with an error.",
    Reason.LOGIN: "The peer refused the user, the password or the token.",
    Reason.FULL: "The store accepts no more connections.",
    Reason.MISSING: "The file of the store does not exist, or the exporter cannot see the volume that holds it.",
    Reason.LOCKED: "Another process kept the file of the store locked until the deadline; it is not damaged.",
    Reason.CORRUPT: "The file of the store is damaged or is not a database.",
    Reason.UNREACHABLE: "The network reported that the host cannot be reached.",
    Reason.PERMISSION: "The exporter has no permission to open the socket or file that the probe needs.",
    Reason.SECRET: "A secret that the probe refers to cannot be read.",
    Reason.INTERNAL: "A bug in the exporter; the log has the details.",
}


class Void(StrEnum):
    """The cause of a void run, which says nothing about its target: the value of a label. See `VOID_MEANINGS`."""

    STALL = "stall"
    DESCRIPTORS = "descriptors"
    MEMORY = "memory"
    PORTS = "ports"
    THREADS = "threads"


VOID_MEANINGS: Mapping[Void, str] = {
    Void.STALL: "the exporter's event loop stalled",
    Void.DESCRIPTORS: "the exporter is out of file descriptors",
    Void.MEMORY: "the exporter's machine is out of memory or network buffers",
    Void.PORTS: "the exporter's machine is out of local ports",
    Void.THREADS: "the exporter cannot start more threads",
}
"""Each completes the sentence 'a run is void: …'."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The measurements of one run. Values that were not measured are omitted.

    `phases`: seconds by phase name (HTTP: resolve, connect, tls, processing, transfer). `facts`: values by the names
    that the protocol's `families.py` uses. `detail`: one sentence for people, empty on success; never holds a secret.
    `void`: set if the exporter could not do its part; then nothing else of the result may be used.
    """

    success: bool
    reason: Reason
    duration_seconds: float
    phases: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, float | str] = field(default_factory=dict)
    detail: str = ""
    void: Void | None = None


class Probe(Protocol):
    """A compiled target of one protocol."""

    async def run(self, deadline: float) -> ProbeResult:
        """Probe once and judge the answer. Ends by `deadline` (of the running loop's clock), raises nothing
        but `asyncio.CancelledError` and leaves no socket open.
        """


class ProbeFailure(Exception):  # noqa: N818 - a probe's verdict on its way up, not an error of the program
    """Failure of a run, with `reason` and one sentence of detail. Raised inside a protocol module.

    The sentence is a template with a `{}` for each of `words`. Text from the peer must be passed as `PeerText`:
    `ProbeFailure(Reason.HEADER, "header {} is {}", name, PeerText(value))`.
    """

    def __init__(self, reason: Reason, detail: str, *words: PeerText | str | int) -> None:
        super().__init__(detail)
        self.reason = reason
        self.sentence = Sentence(detail, *words)

    @property
    def detail(self) -> str:
        """Return the sentence without redacting secrets: only if it holds no text of the peer."""
        return self.sentence.shown(Secrets())
