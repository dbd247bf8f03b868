"""The streams of a process in a container, with servers that misbehave in every way an engine can."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.host.failures import EngineLost, NotThere, OperationError, Refused
from exporter.host.streams import Conversation, Output, upgraded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANSWER = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


@contextlib.contextmanager
def engine(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Run a server on a Unix socket that accepts one connection."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "s"
        listener.bind(str(path))
        listener.listen()

        def work() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                serve(connection)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield f"unix://{path}"
        thread.join(5)


def request(connection: socket.socket) -> bytes:
    """Read a request with its body."""
    text = b""
    while not text.endswith(b"}"):
        text += connection.recv(65536)
    return text


def talk(
    where: str,
    *,
    given: bytes | io.BytesIO | None = None,
    write: Callable[[bytes], object] | None = None,
    limit: int = 1 << 40,
    seconds: float = 5,
) -> Output:
    with upgraded(where, "/exec/1/start", {"Tty": False}, "pg_dump in db", 2) as streams:
        return Conversation(
            streams, "pg_dump in db", given=given, write=write, limit=limit, seconds=seconds
        ).hold()


def answers(*parts: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        request(connection)
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return serve


def test_frames_that_come_in_one_piece_with_the_answer_are_not_lost() -> None:
    with engine(answers(ANSWER + frame(1, b"out") + frame(2, b"err\n") + frame(1, b"put"))) as where:
        assert talk(where) == Output(b"output", b"err\n", 6)


def test_frames_that_come_byte_by_byte() -> None:
    data = ANSWER + frame(1, b"a" * 5) + frame(2, b"b") + frame(1, b"") + frame(1, b"c")
    with engine(answers(*(data[at : at + 1] for at in range(len(data))))) as where:
        assert talk(where).out == b"aaaaac"


def test_output_can_go_to_a_file_piece_by_piece() -> None:
    data = b"x" * 1_000_000
    pieces: list[bytes] = []
    with engine(answers(ANSWER, frame(1, data), frame(1, b"y"))) as where:
        output = talk(where, write=pieces.append)
    assert b"".join(pieces) == data + b"y"
    assert (output.out, output.size) == (b"", 1_000_001)


def test_input_arrives_whole_and_ends() -> None:
    got: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(ANSWER)
        while piece := connection.recv(65536):
            got.append(piece)
        connection.sendall(frame(1, b"done"))

    data = b"z" * 2_000_000
    with engine(serve) as where:
        assert talk(where, given=io.BytesIO(data)).out == b"done"
    assert b"".join(got) == data


def test_a_part_of_the_input_never_looks_like_the_whole() -> None:
    ended: list[bool] = []

    class Broken(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            if self.tell():
                raise ValueError("the disk is gone")
            self.seek(1)
            return b"first"

    def serve(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(ANSWER)
        while connection.recv(65536):
            pass
        ended.append(True)

    with engine(serve) as where, pytest.raises(ValueError, match="the disk is gone"):
        talk(where, given=Broken())


def slow(connection: socket.socket) -> None:
    request(connection)
    connection.sendall(ANSWER + frame(1, b"a"))
    time.sleep(3)


def silent(connection: socket.socket) -> None:
    request(connection)
    time.sleep(3)


FAILURES: dict[str, tuple[Callable[[socket.socket], None], type[OperationError], str]] = {
    "it takes too long": (slow, OperationError, "pg_dump in db did not finish within 1 s"),
    "it never answers": (silent, EngineLost, "does not answer during pg_dump in db"),
    "it says too much": (answers(ANSWER, frame(1, b"x" * 200)), OperationError, "more than 100 bytes"),
    "it lies about the length": (answers(ANSWER, b"\1\0\0\0\xff\xff\xff\xffabc"), EngineLost, "connection"),
    "a header is cut": (answers(ANSWER, b"\1\0\0"), EngineLost, "connection"),
    "it closes": (answers(b""), EngineLost, "connection"),
    "no such container": (
        answers(b'HTTP/1.1 404 Not Found\r\n\r\n{"message":"no such exec \\u001b[2J"}'),
        NotThere,
        r"reports an error for pg_dump in db: no such exec \\x1b\[2J",
    ),
    "paused": (answers(b'HTTP/1.1 409 Conflict\r\n\r\n{"message":"is paused"}'), Refused, "is paused"),
    "garbage": (answers(b"\0" * 50 + b"\r\n\r\n"), Refused, "reports an error"),
    "headers without end": (answers(b"X" * 200_000), EngineLost, "connection"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_each_way_to_fail_is_one_sentence(case: str) -> None:
    serve, kind, sentence = FAILURES[case]
    began = time.monotonic()
    with engine(serve) as where, pytest.raises(kind, match=sentence) as caught:
        talk(where, limit=100, seconds=1)
    assert type(caught.value) is kind
    assert time.monotonic() - began < 6


def test_no_engine_at_all() -> None:
    with pytest.raises(EngineLost, match="no such file or directory"):
        talk("unix:///nowhere")
    with pytest.raises(
        OperationError, match=r"cannot run programs in containers .* run this command on its host"
    ):
        talk("ssh://far")
