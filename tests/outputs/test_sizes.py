"""Sizes in human-readable form."""

from __future__ import annotations

import pytest

from exporter.outputs.durations import size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (512 << 20, "512m"),
        (1 << 30, "1g"),
        (1536 << 20, "1536m"),
        (4096, "4k"),
        (1_000_000, "1000000"),
        (1, "1"),
        (0, "0"),
    ],
)
def test_the_largest_unit_that_is_exact(size: int, text: str) -> None:
    assert size_text(size) == text
