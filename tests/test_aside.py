"""Blocking calls outside the event loop: results, deadlines and calls that hang."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from exporter.aside import AsideBusyError, AsideTimeoutError, aside


def test_answers_and_errors_come_back() -> None:
    async def ask() -> int:
        with pytest.raises(ZeroDivisionError):
            await aside("key", lambda: 1 // 0, 5)
        with pytest.raises(TimeoutError, match="of the function"):
            await aside("key", fails, 5)
        return await aside("key", lambda: 42, 5)

    def fails() -> None:
        raise TimeoutError("of the function")

    assert asyncio.run(ask()) == 42


def test_what_is_stuck_ends_at_its_deadline_and_is_not_piled_up() -> None:
    go = threading.Event()

    async def ask() -> None:
        began = time.monotonic()
        with pytest.raises(AsideTimeoutError, match=r"no answer within 0\.1 s"):
            await aside("stuck", go.wait, 0.1)
        with pytest.raises(AsideBusyError):
            await aside("stuck", go.wait, 5)
        assert await aside("another", lambda: 1, 5) == 1
        assert time.monotonic() - began < 2
        go.set()
        async with asyncio.timeout(5):
            while True:
                try:
                    assert await aside("stuck", lambda: 2, 5) == 2
                except AsideBusyError:
                    await asyncio.sleep(0.01)
                else:
                    return

    asyncio.run(ask())


def test_what_is_stuck_keeps_nobody_from_ending() -> None:
    """Check that neither a cancelled caller nor the process waits for a call that hangs."""
    code = """
import asyncio, os, time
from exporter.aside import aside
async def main():
    caller = asyncio.create_task(aside("key", lambda: time.sleep(1000), 900))
    await asyncio.sleep(0.1)
    caller.cancel()
    print(type((await asyncio.gather(caller, return_exceptions=True))[0]).__name__)
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    assert (done.stdout, done.stderr) == ("CancelledError\n", "")
