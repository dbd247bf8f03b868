"""Files that a user names: none of them, of whatever kind, blocks the reader."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter import files
from exporter.files import read_in_time, read_regular, read_whole

if TYPE_CHECKING:
    from collections.abc import Callable


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


IRREGULAR: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "it is a named pipe, not a regular file"),
    "folder": (os.mkdir, "Is a directory"),
    "socket": (bind, "it is a socket, not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a regular file"),
    "link to itself": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    "nothing": (lambda _: None, "No such file or directory"),
}


@pytest.mark.parametrize("read", [read_regular, read_in_time, read_whole])
@pytest.mark.parametrize("kind", IRREGULAR)
def test_what_is_no_regular_file_is_an_error_at_once(
    kind: str, read: Callable[[Path, int], bytes], tmp_path: Path
) -> None:
    make, why = IRREGULAR[kind]
    make(tmp_path / "file")
    with pytest.raises(OSError) as error:  # noqa: PT011 - the message is checked below
        read(tmp_path / "file", 10)
    assert error.value.strerror == why


@pytest.mark.parametrize("size", [0, 9, 10, 11, 100_000])
def test_a_byte_more_than_the_limit_is_read(size: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    assert len(read_regular(tmp_path / "file", 10)) == min(size, 11)


def test_a_whole_file_is_within_the_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10)
    assert read_whole(tmp_path / "file", 10) == b"x" * 10
    with pytest.raises(OSError, match="larger than 9 bytes"):
        read_whole(tmp_path / "file", 9)


def test_a_pipe_that_takes_the_place_of_a_file_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replace a file by a pipe between the check and the opening."""
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    regular = (tmp_path / "file").stat()
    monkeypatch.setattr(os, "stat", lambda _: regular)
    before = open_descriptors()
    with pytest.raises(OSError, match="named pipe"):
        read_regular(tmp_path / "pipe", 10)
    assert open_descriptors() == before


def test_a_disk_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(files, "read_regular", lambda *_: go.wait())
    with pytest.raises(TimeoutError) as error:
        read_in_time(tmp_path / "file", 10, 0.05)
    assert error.value.strerror == "its file system has not answered for 0.05 s"
    go.set()
