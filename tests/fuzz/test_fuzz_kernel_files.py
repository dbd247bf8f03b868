"""Kernel files with any content: a reading, or nothing and a count, and the other files are still read."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.containers.recorded import FREE, WEB, RecordedHost

FILES = ("memory.stat", "cpu.stat", "io.stat", "memory.current", "pids.max", "cpu.pressure", "cgroup.procs")
TEXT = st.one_of(
    st.binary(max_size=60),
    st.from_regex(rb"([a-z_]{1,8} -?[0-9]{1,30}\n){0,4}", fullmatch=True),
    st.sampled_from([b"max\n", b"8:0 rbytes=1\n", b"some total=x\n", b"9" * 5000, b"\xff:" + b" 1" * 16]),
)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.sampled_from(FILES), TEXT, TEXT, TEXT)
def test_one_containers_files(name: str, text: bytes, table: bytes, membership: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        host = RecordedHost(Path(folder), WEB, FREE)
        (host.folder(WEB) / name).write_bytes(text)
        process = host.proc / str(WEB.pid)
        (process / "net/dev").write_bytes(b"head\nhead\n" + table)
        (process / "cgroup").write_bytes(membership + b"\n0::" + WEB.cgroup.encode() + b"\n")

        async def check() -> None:
            readings = host.readings()
            await readings.refresh([WEB.container, FREE.container])
            assert FREE.id in readings.latest
            assert readings.failures["cgroup"] <= 1
            await readings.close()

        asyncio.run(check())
