"""Log lines from the engine's bytes: frames and a terminal's raw log, split anywhere, of several log drivers."""

from __future__ import annotations

import pytest

from exporter.containers.log_lines import PART_BYTES, BrokenLogError, LineSplitter

ONE, TWO, THREE = (b"2024-01-02T15:04:05.00000000%dZ " % number for number in (1, 2, 3))
PODMAN = b"2024-01-02T15:04:05Z "
FULL = b"x" * PART_BYTES
SIZES = [1, 7, 100, 16_390, 1_000_000]


def frame(number: int, payload: bytes) -> bytes:
    return bytes((number, 0, 0, 0)) + len(payload).to_bytes(4, "big") + payload


def lines_of(data: bytes, size: int, *, tty: bool, max_line: int = 20) -> list[bytes]:
    splitter = LineSplitter(tty=tty, max_line=max_line)
    found = [line for at in range(0, len(data), size) for line in splitter.feed(data[at : at + size])]
    return [*found, *splitter.end()]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("frames", "lines"),
    [
        pytest.param(
            [(1, ONE + FULL), (2, TWO + b"other\n"), (1, ONE + b"end\n"), (1, THREE + b"next\n")],
            [TWO + b"other", ONE + b"x" * 20, THREE + b"next"],
            id="json-file",
        ),
        pytest.param(
            [(1, ONE + FULL), (1, ONE + FULL), (1, ONE + b"end"), (1, TWO + b"next\n")],
            [ONE + b"x" * 20, TWO + b"next"],
            id="local",
        ),
        pytest.param(
            [(1, ONE + FULL), (1, ONE), (1, TWO + b"next\n")],
            [ONE + b"x" * 20, TWO + b"next"],
            id="local, a part exactly",
        ),
        pytest.param(
            [(1, ONE + FULL + FULL), (1, ONE + FULL + b"end"), (1, TWO + b"next\n")],
            [ONE + b"x" * 20, TWO + b"next"],
            id="local, kept for a driver of larger parts",
        ),
        pytest.param(
            [(1, ONE + FULL), (1, TWO + b"end\n"), (1, THREE + b"next\n")],
            [ONE + b"x" * 20, THREE + b"next"],
            id="Docker before 18.09",
        ),
        pytest.param(
            [(1, PODMAN + b"one\n"), (1, PODMAN + b"two\n")], [PODMAN + b"one", PODMAN + b"two"], id="Podman"
        ),
        pytest.param([(1, ONE + b"no end"), (1, TWO + b"next\n")], [ONE + b"no end", TWO + b"next"], id="EOF"),
        pytest.param([(1, b""), (1, ONE + b"\n"), (2, ONE + b"0123456789" * 9 + b"\n")],
                     [ONE, ONE + b"0123456789" * 2], id="empty"),
        pytest.param(
            [(1, TWO + b"2\n")] * 2 + [(2, ONE + b"1\n"), (1, ONE + b"1\n"), (1, TWO + b"2\n"), (1, THREE + b"3\n")],
            [TWO + b"2", ONE + b"1", THREE + b"3"],
            id="repeated after a rotation",
        ),
        pytest.param(
            [(1, b"2024-01-02T16:04:05.0Z late\n"), (1, ONE + b"one\n"), (1, TWO + b"two\n")],
            [b"2024-01-02T16:04:05.0Z late", ONE + b"one", TWO + b"two"],
            id="the clock was set back",
        ),
        pytest.param([(1, ONE + b"bad \xff\x1b[2J \x00\n")], [ONE + b"bad \xff\x1b[2J \x00"], id="any bytes"),
    ],
)  # fmt: skip
def test_frames(frames: list[tuple[int, bytes]], lines: list[bytes], size: int) -> None:
    assert lines_of(b"".join(frame(*each) for each in frames), size, tty=False) == lines


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        pytest.param(ONE + b"one\r\n" + TWO + b"two\r\n", [ONE + b"one\r", TWO + b"two\r"], id="short"),
        pytest.param(
            ONE + FULL + ONE + FULL + ONE + b"end\r\n" + TWO + b"next\r\n",
            [ONE + b"x" * 20, TWO + b"next\r"],
            id="json-file",
        ),
        pytest.param(
            ONE + FULL + ONE + b"end\r" + TWO + b"next\r\n", [ONE + b"x" * 20, TWO + b"next\r"], id="local"
        ),
        pytest.param(
            ONE + FULL + ONE + FULL[:-3] + TWO + b"next\r\n",
            [ONE + b"x" * 20, TWO + b"next\r"],
            id="local, a time across the end of a part",
        ),
        pytest.param(
            ONE + FULL + ONE + b"\r" + TWO + b"next\r\n",
            [ONE + b"x" * 20, TWO + b"next\r"],
            id="local, exactly",
        ),
        pytest.param(ONE + b"no end", [ONE + b"no end"], id="EOF"),
        pytest.param(ONE + FULL + ONE + b"no end", [ONE + b"x" * 20], id="EOF in a part"),
        pytest.param(
            b"Error grabbing logs: EOF\n" + ONE + b"next\n",
            [b"Error grabbing logs:", ONE + b"next"],
            id="words",
        ),
    ],
)
def test_a_terminal(raw: bytes, lines: list[bytes], size: int) -> None:
    assert lines_of(raw, size, tty=True) == lines


def test_a_joined_line_has_no_timestamp_within() -> None:
    expected = [ONE + FULL + b"end"]
    assert (
        lines_of(frame(1, ONE + FULL) + frame(1, ONE + b"end\n"), 100, tty=False, max_line=20_000) == expected
    )
    assert lines_of(ONE + FULL + ONE + b"end\n", 100, tty=True, max_line=20_000) == expected


@pytest.mark.parametrize("data", [frame(3, b"Error grabbing logs: EOF"), b"HTTP/1.1", b'{"message":"no"}'])
def test_what_is_no_log_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenLogError):
        LineSplitter(tty=False, max_line=20).feed(data)
