"""The `$` of Compose files: parts, defaults, what is no expression; and the splitting of text around them."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from exporter.imports.compose.expressions import (
    MAX_NESTING,
    ExpressionError,
    Text,
    Variable,
    by_default,
    parse,
    split,
    variables,
)
from tests.components import compose_2
from tests.imports.files import write

if TYPE_CHECKING:
    from pathlib import Path

PARTS = {
    "": (),
    "plain": (Text("plain"),),
    "$A": (Variable("A"),),
    "${A}": (Variable("A"),),
    "a$A-b": (Text("a"), Variable("A"), Text("-b")),
    "$$A": (Text("$A"),),
    "$$$A": (Text("$"), Variable("A")),
    "$${A}": (Text("${A}"),),
    "$1 a$ $-": (Text("$1 a$ $-"),),
    "${A:-b}": (Variable("A", ":-", (Text("b"),)),),
    "${A-}": (Variable("A", "-"),),
    "${A:?say so}": (Variable("A", ":?", (Text("say so"),)),),
    "${A?}": (Variable("A", "?"),),
    "${A:+b}": (Variable("A", ":+", (Text("b"),)),),
    "${A+$B}": (Variable("A", "+", (Variable("B"),)),),
    "${A:-${B:-$$c}d}e": (
        Variable("A", ":-", (Variable("B", ":-", (Text("$c"),)), Text("d"))),
        Text("e"),
    ),
    '${A:-{"a":1}}': (Variable("A", ":-", (Text('{"a":1}'),)),),
    "${A:-{}": (Variable("A", ":-", (Text("{"),)),),
    "${A:-x}}": (Variable("A", ":-", (Text("x"),)), Text("}")),
    "${A:-b:-c}": (Variable("A", ":-", (Text("b:-c"),)),),
}

WRONG = ("${", "${}", "${1}", "${A", "${A b}", "${A:b}", "${A:-$", "${A:-${B}", "${A:-${1}}", "${-A}")

NOT_SET = {
    "a$$b": "a$b",
    "${A:-b}$$": "b$",
    "${A}": None,
    "${A:?}": None,
    "${A:+b}c": "c",
    "${A:-${B}}": None,
    "${A:-${B-}}x": "x",
    "${A": None,
}


@pytest.mark.parametrize("text", PARTS)
def test_a_text_has_parts(text: str) -> None:
    assert parse(text) == PARTS[text]


@pytest.mark.parametrize("text", WRONG)
def test_what_compose_refuses_is_refused_without_showing_a_default(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"write \$\$ for a \$"):
        parse(text)
    with pytest.raises(ExpressionError) as caught:
        parse("${PASSWORD:-s3cret")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", NOT_SET)
def test_a_text_by_its_defaults(text: str) -> None:
    assert by_default(text) == NOT_SET[text]


def test_nesting_has_a_limit() -> None:
    assert len(list(variables(parse("${A:-" * MAX_NESTING + "}" * MAX_NESTING)))) == MAX_NESTING
    with pytest.raises(ExpressionError, match="nested"):
        parse("${A:-" * (MAX_NESTING + 1) + "}" * (MAX_NESTING + 1))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a:b", ["a", "b"]),
        ("${A:-x:y}:80", ["${A:-x:y}", "80"]),
        ("$${a:b", ["$${a", "b"]),
        ("${A:-${B:-:}}:${C", ["${A:-${B:-:}}", "${C"]),
        ("", [""]),
        (":", ["", ""]),
    ],
)
def test_text_is_split_outside_of_variables(text: str, pieces: list[str]) -> None:
    assert split(text, ":") == pieces


def test_compose_agrees(tmp_path: Path) -> None:
    """Check every text in one file without set variables: Compose resolves each to what its defaults say."""
    texts = [text for text in (*PARTS, *NOT_SET) if by_default(text) is not None]
    environment = {f"V{index}": text for index, text in enumerate(texts)}
    write(
        tmp_path,
        {"compose.yaml": json.dumps({"services": {"a": {"image": "x", "environment": environment}}})},
    )
    command = [compose_2(), "config", "--format", "json"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60, env={"HOME": "/"}
    )
    theirs = json.loads(done.stdout)["services"]["a"]["environment"]
    # Compose doubles each $ of its output, which is a Compose file again.
    assert {name: by_default(text) for name, text in environment.items()} == {
        name: value.replace("$$", "$") for name, value in theirs.items()
    }
