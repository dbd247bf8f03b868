"""The clocks of an engine and its host: a slow check between the two readings is not a difference."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from exporter.host.checks import clock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("engine", "problem"),
    [
        ("2026-01-01T12:00:00Z", ""),
        ("2026-01-01T12:00:09Z", ""),
        ("2026-01-01T11:59:53Z", "7 s behind"),
        ("2026-01-01T12:00:19Z", "9 s ahead"),
    ],
)
def test_the_clock_is_compared_with_the_moment_at_which_the_engine_was_asked(
    tmp_path: Path, engine: str, problem: str
) -> None:
    asked = 1767268800.0
    site = SimpleNamespace(state_folder=tmp_path)
    host: Any = SimpleNamespace(site=site, facts=SimpleNamespace(now=engine), asked=(asked, asked + 10))
    [found] = clock(host)
    assert (problem in found.sentence, str(found.state)) == (True, "problem" if problem else "good")
