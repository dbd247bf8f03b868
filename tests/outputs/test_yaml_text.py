"""Text that YAML parsers must not read as another type."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import yaml

from exporter.outputs.yaml_text import NOTICE, Apart, Block, Merge, Note, yaml_text
from tests.outputs.catalogs import NASTY

STRINGS = [
    *(
        "",
        " ",
        "a",
        "a b",
        "-",
        "- a",
        "a: b",
        "a #b",
        "#a",
        "on",
        "No",
        "y",
        "~",
        "null",
        "True",
        "1",
        "1e3",
    ),
    *("0x1f", "0o17", "1_000", "12:30", "1.5", ".inf", "2020-01-01", "=", "<<", "!a", "&a", "*a", "%a", "@a"),
    *("`a", "'a'", '"a"', "a'b\"c", "\\", "{a}", "[a]", "a,b", "?", "|", ">", "a\n", "a\nb", "a\nb\n", "\na"),
    *("a\n\nb", "a \nb", " a\nb", "a\n b", "a\tb\nc", "\r", "\r\n", "\x00\x07\x7f\x85", "\ufeffa", "\u2028"),
    *("ü🚀", "---", "...", "a\n---\nb", NASTY, "x" * 500),
]


@pytest.mark.parametrize("text", STRINGS, ids=ascii)
def test_strings_come_back_as_they_were(text: str) -> None:
    data: dict[str, Any] = {"value": text, "list": [text], "deep": [{"key": text, "other": [text, [text]]}]}
    if len(text) < 100:
        data[f"k{text}"] = {text: text}
    assert yaml.safe_load(yaml_text(data)) == data


def test_other_values() -> None:
    data: dict[str, Any] = {
        "a": True,
        "b": None,
        "c": 0,
        "d": 1e-7,
        "e": Decimal("0.10"),
        "f": {},
        "g": [],
        "h": [1, [2], {}],
    }
    assert yaml_text(data).splitlines()[1:] == [
        "a: true", "b: null", "c: 0", "d: 0.0000001", "e: 0.10", "f: {}", "g: []",
        "h:", "  - 1", "  - [2]", "  - {}",
    ]  # fmt: skip
    with pytest.raises(TypeError, match="set has no YAML form"):
        yaml_text({"a": {1}})


def test_quantities_need_no_quotes_and_are_text_to_every_parser() -> None:
    words = ["512m", "10m", "5s", "1m30s", "250ms", "30d", "1g", "64k"]
    text = yaml_text({"a": words})
    assert text.endswith(f"a: [{', '.join(words)}]\n")
    assert yaml.safe_load(text) == {"a": words}
    for other in ("1e3", "0b1", "12", "1.5s", "5s ", "0x1g"):
        assert f'a: "{other}"' in yaml_text({"a": other})


def test_blocks_are_merged_and_entries_stand_apart() -> None:
    data = Apart(
        {
            "x-all": Block("all", {"a": 1, "b": [2]}),
            "things": Apart({"one": {"c": 3, "<<": Merge("all")}, "two": {"<<": Merge("all"), "a": 4}}),
            "none": Apart({}),
        }
    )
    assert yaml_text(data).splitlines()[1:] == [
        *("", "x-all: &all", "  a: 1", "  b: [2]"),
        *("", "things:", "  one:", "    c: 3", "    <<: *all"),
        *("", "  two:", "    <<: *all", "    a: 4"),
        *("", "none: {}"),
    ]
    assert yaml.safe_load(yaml_text(data))["things"] == {
        "one": {"a": 1, "b": [2], "c": 3},
        "two": {"a": 4, "b": [2]},
    }


def test_comments_stay_comments_whatever_they_hold() -> None:
    text = yaml_text({"a": Note("one\ntwo\u2028three: 3", 1), "b": [Note("x", {"c": 2})]}, f"head {NASTY}")
    assert yaml.safe_load(text) == {"a": 1, "b": [{"c": 2}]}
    assert text.splitlines()[0] == f"# {NOTICE}"
    assert "# one two three: 3\na: 1\n" in text
    assert "  # x\n  - c: 2\n" in text
