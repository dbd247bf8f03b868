"""Prometheus's relabelling: which targets a job has, and the parameters of their scrapes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.patterns import Pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Labels = dict[str, str]

MAX_LABELS, MAX_TEXT = 200, 16 * 1024
"""Of one target. A rule may double both, so a few rules would fill any memory."""
_EXPANSION = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\$))")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of `relabel_configs`, with Prometheus's defaults."""

    action: str = "replace"
    source_labels: tuple[str, ...] = ()
    separator: str = ";"
    regex: str = "(.*)"
    target_label: str = ""
    replacement: str = "$1"
    modulus: int = 0


class TooLargeError(ValueError):
    """Labels of a target beyond the limits."""


ACTIONS = frozenset(
    {"replace", "keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"}
    | {"keepequal", "dropequal"}
)


class Relabelling:
    """The rules of a job, compiled.

    Raises:
        PatternError: a regular expression is none.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = [(rule, Pattern(f"^(?s:{rule.regex})$", captures=True)) for rule in rules]

    def __len__(self) -> int:
        return len(self._rules)

    def apply(self, labels: Mapping[str, str]) -> Labels | None:
        """Return the labels of a target after all rules; None if a rule drops it.

        Raises:
            TooLargeError: there are too many labels, or a text is too long.
        """
        found = dict(labels)
        for rule, pattern in self._rules:
            if not _apply(rule, pattern, found):
                return None
            if len(found) > MAX_LABELS:
                raise TooLargeError
        return {name: value for name, value in found.items() if value}


def _apply(rule: Rule, pattern: Pattern, labels: Labels) -> bool:
    """Apply one rule; False if it drops the target."""
    value = _joined(rule.separator, [labels.get(name, "") for name in rule.source_labels])
    match rule.action:
        case "keep" | "drop":
            return (pattern.search(value) is not None) == (rule.action == "keep")
        case "keepequal" | "dropequal":
            return (labels.get(rule.target_label, "") == value) == (rule.action == "keepequal")
        case "labeldrop" | "labelkeep":
            for name in [*labels]:
                if (pattern.search(name) is not None) == (rule.action == "labeldrop"):
                    del labels[name]
        case "labelmap":
            for name, inner in [*labels.items()]:
                if groups := pattern.search(name):
                    labels[_expanded(rule.replacement, groups)] = inner
        case "lowercase" | "uppercase":
            labels[rule.target_label] = value.lower() if rule.action == "lowercase" else value.upper()
        case "hashmod" if rule.modulus > 0:
            digest = hashlib.md5(value.encode(), usedforsecurity=False).digest()
            labels[rule.target_label] = str(int.from_bytes(digest[8:]) % rule.modulus)
        case "replace":
            groups = pattern.search(value)
            if groups is not None and (target := _expanded(rule.target_label, groups)):
                labels[target] = _expanded(rule.replacement, groups)
    return True


def _joined(separator: str, texts: list[str]) -> str:
    if sum(map(len, texts)) + len(separator) * len(texts) > MAX_TEXT:
        raise TooLargeError
    return separator.join(texts)


def _expanded(template: str, groups: Mapping[int | str, str]) -> str:
    """Return a template with the text of its groups, as Go's Regexp.Expand does."""

    room = MAX_TEXT - len(template)

    def text(match: re.Match[str]) -> str:
        nonlocal room
        if match[3]:
            return "$"
        name = match[1] or match[2]
        key: int | str = int(name) if name.isascii() and name.isdecimal() and len(name) < 5 else name
        found = groups.get(key, "")
        room -= len(found)
        if room < 0:
            raise TooLargeError
        return found

    return _EXPANSION.sub(text, template)
