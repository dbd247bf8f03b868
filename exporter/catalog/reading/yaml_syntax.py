"""Messages about text that is not YAML: what is wrong and what to write, for the usual mistakes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.yaml_scalars import YamlError
from exporter.catalog.values.words import quoted

if TYPE_CHECKING:
    import yaml

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
"""Characters that YAML does not allow."""
_COMMENT = re.compile(r"[ \t]*#(\S*)")
_INNER_COMMENT = re.compile(r"[ \t\[{,](#[^\s}\]]+)")
_OPEN = {"'}'": "{", "']'": "["}
_CLOSE = {"{": "}", "[": "]"}
_ADVICE = {
    "mapping values are not allowed in this context": (
        'a key or ": " is not allowed here; check the indentation, and write text that holds ": " in quotes'
    ),
    "did not find expected key": "expected a key here; check the indentation, and the quotes on this line",
    "did not find expected '-' indicator": "expected - here, as in the lines above; check the indentation",
    "block sequence entries are not allowed in this context": "a list cannot begin here; begin it on its own line",
    "did not find expected node content": "expected a value here",
    "could not find expected ':'": 'expected ": " after the key on this line',
    "found unknown escape character": (
        "unknown escape in double quotes; write \\\\ for a backslash, or use single quotes"
    ),
    "did not find expected <document start>": "expected the end of the file; check brackets and indentation",
    "found invalid Unicode character escape code": "this escape is not a character",
    "exceeded maximum nesting depth": "the brackets are nested too deeply",
}


def control_character(text: str) -> YamlError | None:
    """Return the first character that YAML does not allow, as an error."""
    found = CONTROL.search(text)
    if not found:
        return None
    line_start = text.rfind("\n", 0, found.start()) + 1
    line = text.count("\n", 0, line_start) + 1
    return YamlError("is not YAML: control characters are not allowed", line, found.start() - line_start + 1)


def syntax_error(error: yaml.MarkedYAMLError, text: str, opened: int | None = None) -> YamlError:
    """Return the parser's error, at the place to look at. `opened`: the index of the innermost open bracket."""
    mark = error.problem_mark or error.context_mark
    problem, context = str(error.problem or ""), str(error.context or "")
    if "quoted scalar" in context and "end of stream" in problem:
        return _at(error.context_mark, "this quote is not closed")
    bracket = next((sign for end, sign in _OPEN.items() if problem.endswith(end)), None)
    if bracket and mark and error.context_mark:
        return _at(
            mark, f"expected , or {_CLOSE[bracket]} {_not_closed(text, error.context_mark.index, mark.index)}"
        )
    if opened is not None and mark and not text[mark.index :].strip():
        close = _CLOSE[text[opened]]
        return _at(mark, f"expected a value or {close} {_not_closed(text, opened, mark.index)}")
    found = text[mark.index : mark.index + 1] if mark else ""
    if found == "\t" or "tab character" in problem:
        return _at(mark, "tabs are not allowed as indentation; use spaces")
    if "cannot start any token" in problem and found:
        return _at(mark, f"text cannot begin with {found}; write it in quotes")
    return _at(mark, _ADVICE.get(problem) or " ".join((problem or context or "it cannot be read").split()))


def _not_closed(text: str, opened: int, end: int) -> str:
    line_start = text.rfind("\n", 0, opened) + 1
    place = f"line {text.count(chr(10), 0, opened) + 1}, column {opened - line_start + 1}"
    comment = _INNER_COMMENT.search(text, opened, end)
    why = f", or {quoted(comment[1])} began a comment and belongs in quotes" if comment else ""
    return f"here; the {text[opened]} on {place} is not closed{why}"


def begins_comment(text: str, index: int) -> str | None:
    """Return the word after a # at `index`, where a value is empty: it may be meant as text, such as #alerts."""
    found = _COMMENT.match(text, index)
    return quoted(f"#{found[1]}") if found else None


def _at(mark: Any, sentence: str) -> YamlError:
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return YamlError(f"is not YAML: {sentence}", line, column)
