"""The format of logs, and what they must never contain."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from exporter.logs import MOST_CHARACTERS, JsonFormatter, Output, TextFormatter
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = {
    "escape": ("\x1b[31m", r"\x1b[31m", r"\u001b[31m"),
    "C1": ("\x9b31m", r"\x9b31m", r"\u009b31m"),
    "carriage return": ("a\rb", r"a\rb", r"a\rb"),
    "right to left": ("\u202etxt", r"\u202etxt", r"\u202etxt"),
    "line separator": ("a\u2028b", r"a\u2028b", r"a\u2028b"),
    "surrogate": ("\udcff", r"\udcff", r"\udcff"),
    "beyond the first plane": ("\U000e0001", r"\U000e0001", r"\udb40\udc01"),
    "letters": ("größer 日本", "größer 日本", "größer 日本"),
}


def record(message: str, *arguments: object, **values: object) -> logging.LogRecord:
    made = logging.LogRecord("exporter.x", logging.WARNING, "x.py", 1, message, arguments, None)
    made.created = 1_800_000_000.25
    made.__dict__.update(values)
    return made


@pytest.mark.parametrize(("said", "text", "_"), HOSTILE.values(), ids=HOSTILE)
def test_in_text_nothing_acts_on_a_terminal(said: str, text: str, _: str) -> None:
    assert TextFormatter().format(record("%s!", said)).endswith(f" WARNING {text}!")


@pytest.mark.parametrize(("said", "_", "text"), HOSTILE.values(), ids=HOSTILE)
def test_nor_in_json(said: str, _: str, text: str) -> None:
    line = JsonFormatter().format(record("%s!", said))
    assert f'"{text}!"' in line
    assert line.isprintable()
    assert json.loads(line)["message"] == f"{said}!"


def test_text_has_a_time_zone_and_indents_further_lines() -> None:
    time, rest = TextFormatter().format(record("one\n2026-01-01 00:00:00 forged")).split(" WARNING ")
    assert re.fullmatch(r"2027-01-1\d \d\d:\d\d:00\.250[+-]\d\d:\d\d", time)
    assert rest == "one\n    2026-01-01 00:00:00 forged"


def test_json_has_the_fields_of_a_probe_and_no_other() -> None:
    fields = {"service": "web", "probe": "page", "reason": "status", "down_seconds": 1.5}
    line = JsonFormatter().format(record("x", **fields, other=1))
    assert json.loads(line) == {
        "time": "2027-01-15T08:00:00.250+00:00",
        "level": "warning",
        "logger": "exporter.x",
        "message": "x",
        **fields,
    }


@pytest.mark.parametrize("form", [TextFormatter, JsonFormatter])
def test_an_exception_is_shown_and_cut(form: type[logging.Formatter]) -> None:
    def fail() -> None:
        raise ValueError("\x1b" * 10 * MOST_CHARACTERS)

    try:
        fail()
    except ValueError:
        made = record("failed", exc_info=sys.exc_info())
    text = form().format(made)
    assert "Traceback" in text
    assert "\x1b" not in text
    assert len(text) < 7 * MOST_CHARACTERS


@pytest.fixture
def pipe() -> Iterator[tuple[int, Output]]:
    reader, writer = os.pipe()
    output = Output(writer)
    output.setFormatter(logging.Formatter("%(message)s"))
    yield reader, output
    os.close(reader)
    os.close(writer)


def test_records_arrive_in_order_whether_or_not_they_are_read_at_once(pipe: tuple[int, Output]) -> None:
    reader, output = pipe
    sent = [f"{n} {'x' * 900}" for n in range(500)]
    for line in sent:
        output.emit(record("%s", line))
    read = b""
    wanted = "".join(f"{line}\n" for line in sent).encode()
    while len(read) < len(wanted):
        read += os.read(reader, 65536)
    assert read == wanted
    output.emit(record("last"))
    assert os.read(reader, 100) == b"last\n"


def test_what_nobody_reads_is_dropped_and_counted(pipe: tuple[int, Output]) -> None:
    reader, output = pipe
    logging.getLogger("exporter.logs").addHandler(output)
    try:
        for n in range(3000):
            output.emit(record("%s", f"{n} {'x' * 900}"))
        read = b""

        def drain() -> None:
            nonlocal read
            while b"dropped" not in read:
                read += os.read(reader, 65536)

        thread = threading.Thread(target=drain, daemon=True)
        thread.start()
        until(lambda: not thread.is_alive(), "the count")
    finally:
        logging.getLogger("exporter.logs").removeHandler(output)
    lines = read.decode().splitlines()
    assert lines[0].startswith("0 ")
    assert lines[-1] == f"{3000 - (len(lines) - 1)} records were dropped: nobody read this log"
    output.flush()


def test_a_reader_that_has_gone_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    output = Output(writer)
    output.emit(record("x"))
    output.flush()
    os.close(writer)
    assert capsys.readouterr() == ("", "")
