"""Probe of gRPC: asks the standard health service, `grpc.health.v1.Health/Check`, about a server or one service.

Its two messages are small enough to encode and decode here (github.com/grpc/grpc-proto, grpc/health/v1/health.proto):

    message HealthCheckRequest { string service = 1; }
    message HealthCheckResponse { ServingStatus status = 1; }  // an enum
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from exporter.catalog.values.hostnames import ascii_host
from exporter.peer_text import PeerText, Sentence
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.grpc.call import PREFIX_BYTES, Answer, Call
from exporter.probes.http.request import literal_credentials
from exporter.probes.measure import MeasuredProbe, Run
from exporter.probes.net.connect import connect, shown

if TYPE_CHECKING:
    import asyncio

    from exporter.catalog.planning.specs import GrpcSpec
    from exporter.probes.compile import Shared
    from exporter.probes.tls.handshake import Tls

METHOD = "/grpc.health.v1.Health/Check"
ALPN = ("h2",)
SERVING_STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
STATUS_CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
REASONS = {
    "DEADLINE_EXCEEDED": Reason.TIMEOUT,
    "NOT_FOUND": Reason.STATUS,
    "PERMISSION_DENIED": Reason.LOGIN,
    "UNAUTHENTICATED": Reason.LOGIN,
}
"""Reasons by the status of the call; for any other status it is `answer`."""

MAX_STATUS_DIGITS = 3
UNHEALTHY_PROXY = {429, 502, 503, 504}
UNAUTHORISED = {401, 403}
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types of protobuf."""
FIELD = 1
"""The number of the only field in each of the two messages."""
MAX_VARINT_BYTES = 10


class GrpcProbe(MeasuredProbe):
    """One call on a new connection.

    Raises:
        TlsError: a certificate file or key cannot be used.
    """

    __slots__ = ("_authority", "_literal", "_message", "_spec", "_tls")

    def __init__(self, spec: GrpcSpec, shared: Shared) -> None:
        self._spec = spec
        self._authority = shown(ascii_host(spec.host), spec.port)
        self._literal = literal_credentials(spec.metadata)
        self._message = encode_request(spec.service)
        self._tls = None if spec.tls is None else shared.tls(spec.tls, ALPN)

    async def ask(self, run: Run) -> None:
        for value in self._literal:
            run.secrets.add(value)
        metadata = _metadata(self._spec, run)
        transport, call = await self._open(run)
        run.facts["ssl"] = 0
        try:
            if self._tls is not None:
                transport = await self._secure(self._tls, transport, call, run)
            run.enter("check")
            await call.ask(transport, METHOD, self._authority, metadata, self._message, run)
        finally:
            transport.abort()
        self._judge(call.answer, run)

    async def _secure(
        self, tls: Tls, transport: asyncio.Transport, call: Call, run: Run
    ) -> asyncio.Transport:
        if call.heard:
            # Passed on to the call, it would look as if TLS had protected it (CVE-2011-0411).
            raise ProbeFailure(Reason.TLS, "the server does not speak TLS: it began in plain text")
        secured = await tls.start(transport, call, self._spec.host, run, lambda: self._open(run))
        run.facts["ssl"] = 1
        if secured.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            secured.abort()
            raise ProbeFailure(
                Reason.PROTOCOL, "the server does not offer HTTP/2 in TLS (ALPN h2), which gRPC needs"
            )
        return secured

    async def _open(self, run: Run) -> tuple[asyncio.Transport, Call]:
        spec = self._spec
        return await connect(Call, spec.host, spec.port, spec.ip_protocol, run)

    def _judge(self, answer: Answer, run: Run) -> None:
        code = _status_code(answer)
        run.facts["grpc_status_code"] = code
        name = STATUS_CODES[code]
        if name != "OK":
            words = unquote_to_bytes(answer.headers.get("grpc-message", "").encode("latin-1"))
            said = Sentence("{}: {}", name, PeerText(words)) if words else Sentence("{}", name)
            template = f"{self._explained(name)} {said.template}"
            raise ProbeFailure(REASONS.get(name, Reason.ANSWER), template, *said.words)
        serving = SERVING_STATUSES[decode_response(_message(answer))]
        run.facts["grpc_serving_status"] = serving
        if serving != "SERVING":
            raise ProbeFailure(
                Reason.STATUS, f"{self._spec.service or 'the server'} is {serving}, expected SERVING"
            )

    def _explained(self, name: str) -> str:
        if name == "UNIMPLEMENTED":
            return "the server has no health service (grpc.health.v1.Health):"
        if name == "NOT_FOUND" and self._spec.service:
            return "the server does not know the service:"
        return "the call ended with"


def encode_request(service: str) -> bytes:
    """Return a `HealthCheckRequest`."""
    text = service.encode()
    return bytes([FIELD << 3 | BYTES]) + _varint(len(text)) + text if text else b""


def decode_response(message: bytes) -> int:
    """Return the status in a `HealthCheckResponse`; 0, as in protobuf, if the message has none.

    Raises:
        ProbeFailure: `protocol`, if it is not such a message.
    """
    status = position = 0
    try:
        while position < len(message):
            key, position = _read_varint(message, position)
            if key & 7 == VARINT:
                value, position = _read_varint(message, position)
                if key >> 3 == FIELD:
                    status = value
            elif key & 7 == BYTES:
                size, position = _read_varint(message, position)
                position += size
            elif key & 7 in (FIXED64, FIXED32):
                position += 8 if key & 7 == FIXED64 else 4
            else:
                position = len(message) + 1
    except (IndexError, ValueError):
        position = len(message) + 1
    if position > len(message) or status >= len(SERVING_STATUSES):
        raise ProbeFailure(
            Reason.PROTOCOL, "the answer does not come from a health service (grpc.health.v1.Health)"
        )
    return status


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    """Return the number at `position`, and the position after it."""
    value = 0
    for index in range(MAX_VARINT_BYTES):
        byte = message[position + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, position + index + 1
    raise ValueError


def _status_code(answer: Answer) -> int:
    """Return the status of the call.

    Raises:
        ProbeFailure: the answer does not come from a gRPC server, but for example from a proxy in front of it.
    """
    headers = answer.headers
    given = headers.get("grpc-status", "")
    code = _number(given)
    if code is not None and code < len(STATUS_CODES):
        return code
    status = _number(headers.get(":status", "")) or 0
    if status == 200 and headers.get("content-type", "").startswith("application/grpc"):
        raise ProbeFailure(Reason.PROTOCOL, "the answer has no gRPC status")
    if status in UNAUTHORISED:
        raise ProbeFailure(Reason.LOGIN, f"HTTP status {status} instead of a gRPC answer")
    if status in UNHEALTHY_PROXY:
        raise ProbeFailure(Reason.STATUS, f"HTTP status {status} instead of a gRPC answer")
    raise ProbeFailure(Reason.PROTOCOL, f"the server speaks HTTP/2 but not gRPC: HTTP status {status}")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_STATUS_DIGITS else None


def _message(answer: Answer) -> bytes:
    """Return the only message of the answer.

    Raises:
        ProbeFailure: `protocol`.
    """
    body = bytes(answer.body)
    if len(body) < PREFIX_BYTES or int.from_bytes(body[1:PREFIX_BYTES], "big") != len(body) - PREFIX_BYTES:
        raise ProbeFailure(Reason.PROTOCOL, "the answer does not hold exactly one complete message")
    if body[0]:
        raise ProbeFailure(Reason.PROTOCOL, "the answer is compressed although compression was not requested")
    return body[PREFIX_BYTES:]


def _metadata(spec: GrpcSpec, run: Run) -> list[tuple[str, str]]:
    """Return the metadata, with its secrets read now.

    Raises:
        ProbeFailure: `secret`, if a reference cannot be read or its value cannot be sent.
    """
    metadata = [(key.lower(), run.read(value)) for key, value in spec.metadata]
    for key, value in metadata:
        if not all(" " <= character <= "~" for character in value):
            raise ProbeFailure(
                Reason.SECRET, f"the value of the metadata {key} holds a line break or non-ASCII characters"
            )
    return metadata
