"""Text from outside, made safe for a terminal."""

from __future__ import annotations

import pytest

from exporter.host.shown import shown, shown_lines

HOSTILE = {
    "web": "web",
    "Zürich 東京": "Zürich 東京",
    "\x1b[2J\x1b]0;title\x07": "\\x1b[2J\\x1b]0;title\\x07",
    "a\r\nproblem: nothing": "a\\r\\nproblem: nothing",
    "\x9b31m": "\\x9b31m",
    "\u202egnp.exe": "\\u202egnp.exe",
    "nul\0": "nul\\x00",
    "\ud800": "\\ud800",
    "x" * 200: "x" * 128 + "…",
}


@pytest.mark.parametrize(("text", "line"), HOSTILE.items())
def test_what_does_not_print_is_an_escape(text: str, line: str) -> None:
    assert shown(text) == line


def test_the_last_lines_of_a_log() -> None:
    raw = b"first\nsecond \x1b[31m\r\n\tthird \xff\n"
    assert shown_lines(raw, 2) == ["second \\x1b[31m", "    third \ufffd"]
    assert shown_lines(b"", 5) == []
    assert shown_lines(b"x" * 5000, 1) == ["x" * 2000 + "…"]
