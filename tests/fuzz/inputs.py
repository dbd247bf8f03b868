"""Inputs that a reader may get: seeds, slightly changed, cut into pieces, or only noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

SEEDS = Path(__file__).parent / "seeds"
SIGNS = (
    b"",
    b"\0",
    b"\xff",
    b"\r\n",
    b"\n",
    b"\n\n",
    b":",
    b"-1",
    b"0",
    b"99999999999",
    b"\x7f" * 4,
    b"\x80" * 4,
    b"\xff" * 8,
)
"""Bytes that often confuse readers."""
MOST_CHANGES = 4


def seeds(reader: str) -> list[bytes]:
    """Return the committed inputs of a reader: complete answers, and inputs that were once read wrongly."""
    found = [file.read_bytes() for file in sorted((SEEDS / reader).iterdir())]
    assert found, f"no seeds for {reader}"
    return found


@st.composite
def changed(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """Return one of the originals with a few changes, or noise."""
    data = draw(st.sampled_from([*originals, b""]))
    for _ in range(draw(st.integers(0, MOST_CHANGES))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 8)))
        piece = draw(st.one_of(st.sampled_from(SIGNS), st.binary(max_size=16), st.just(data[start:] * 2)))
        data = data[:start] + piece + data[end:]
    return data


cuts = st.lists(st.integers(1, 64), max_size=8)
"""Sizes of the first pieces of an input; the rest arrives in one."""


def pieces(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Split `data` into pieces of these sizes, and the rest."""
    found, start = [], 0
    for size in sizes:
        found.append(data[start : start + size])
        start += size
    return [piece for piece in [*found, data[start:]] if piece]
