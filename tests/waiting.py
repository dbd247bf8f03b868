"""Polling with a deadline instead of fixed sleeps."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def until(ask: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """Return the first truthy result of `ask`; raise an AssertionError that names `what` if there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}; last answer: {answer!r}"
        time.sleep(0.05)


def free_port() -> int:
    """Return a loopback port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
