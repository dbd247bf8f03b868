"""A bucket on a loopback moto server, which speaks the S3 protocol. It can block or end during an upload.

server = BucketServer()
server.block_at("manifest.json.mac")     # uploads of such an object block
until(server.blocked.is_set, "the upload")
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable

BUCKET = "shop-backups"
ACCESS = "access-k3y"
SECRET = "s3cr3t/k3y+x="


class BucketServer:
    """A server with BUCKET, which is empty."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._port = free_port()
        self._suffix = ""
        self._ends = False
        self._open = threading.Event()
        self.blocked = threading.Event()
        self.start()
        self.client = boto3.client(
            "s3",
            "us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
        )
        self.client.create_bucket(Bucket=BUCKET)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._suffix = ""
        self._server = make_server("127.0.0.1", self._port, self._answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._open.set()
        self._server.shutdown()
        self._thread.join(20)
        self._server.server_close()

    def block_at(self, suffix: str) -> None:
        """Block uploads of objects whose name ends with this until `go_on`."""
        self.blocked.clear()
        self._open.clear()
        self._suffix, self._ends = suffix, False

    def end_at(self, suffix: str) -> None:
        """End the server at the moment when such an object arrives."""
        self._suffix, self._ends = suffix, True

    def go_on(self) -> None:
        self._suffix = ""
        self._open.set()

    def objects(self) -> dict[str, bytes]:
        found = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", ())
        return {
            item["Key"]: self.client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
            for item in found
        }

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        comes = environ["REQUEST_METHOD"] == "PUT" and environ["PATH_INFO"].endswith(self._suffix or "\0")
        if comes and self._ends:
            self._server.server_close()
            start_response("503 Service Unavailable", [("Connection", "close")])
            return [b""]
        if comes:
            self.blocked.set()
            self._open.wait(60)
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer
