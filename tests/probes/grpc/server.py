"""A real gRPC server (grpcio) with the standard health service. Its messages are hand-written, because the package of
the health service is not a dependency."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc

from exporter.probes.grpc.probe import METHOD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.probes.certificates import Certificate

Check = Callable[[bytes, grpc.ServicerContext], bytes]

SERVING = b"\x08\x01"
NOT_SERVING = b"\x08\x02"
SERVICE_UNKNOWN = b"\x08\x03"


class Handler(grpc.GenericRpcHandler):
    def __init__(self, check: Check, method: str) -> None:
        self._check = check
        self._method = method

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        if handler_call_details.method != self._method:
            return None  # the server answers UNIMPLEMENTED
        return grpc.unary_unary_rpc_method_handler(self._check)


@contextmanager
def grpc_server(
    check: Check, *, method: str = METHOD, certificate: Certificate | None = None, host: str = "127.0.0.1"
) -> Iterator[int]:
    """Run a server and return its port. Its health service answers with `check` of the request's bytes."""
    executor = ThreadPoolExecutor(2)
    server = grpc.server(executor, handlers=[Handler(check, method)])
    if certificate is None:
        port = server.add_insecure_port(f"{host}:0")
    else:
        pair = (certificate.key.read_bytes(), certificate.cert.read_bytes())
        port = server.add_secure_port(f"{host}:0", grpc.ssl_server_credentials([pair]))
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait(5)
        executor.shutdown()


def says(message: bytes) -> Check:
    return lambda _request, _context: message


def aborts(code: grpc.StatusCode, details: str = "") -> Check:
    def check(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(code, details)
        raise AssertionError("abort must raise")

    return check
