"""Output of `list` and `check`: the state of secrets as a table, as findings, or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exporter.secrets.state import span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.secrets.inventory import Secret
    from exporter.secrets.state import State


def table(states: Sequence[State]) -> Iterator[str]:
    """Yield the lines of the list."""
    width = max(4, *(len(state.name) for state in states)) if states else 4
    yield f"{'NAME':{width}}  {'AGE':11}  {'ROTATE IN':11}  STATE"
    for state in states:
        age = "-" if state.age is None else span(state.age)
        rotation = "-" if state.rotate_in is None else "now" if state.due else span(state.rotate_in)
        there = () if state.age is None else ("present",)
        yield f"{state.name:{width}}  {age:11}  {rotation:11}  {'; '.join((*there, *state.findings))}"


def findings(states: Iterable[State]) -> Iterator[tuple[str, str]]:
    """Yield the problems of each secret."""
    for state in states:
        for finding in state.findings:
            yield state.name, finding


def as_json(
    states: Iterable[State], secrets: Mapping[str, Secret], others: Iterable[tuple[str, str]] = ()
) -> str:
    """Return the same for programs. `others`: findings about other files and the folder."""
    rows = [
        {
            "name": state.name,
            "present": state.age is not None,
            "age_seconds": None if state.age is None else round(state.age),
            "rotate_in_seconds": None if state.rotate_in is None else round(state.rotate_in),
            "due": state.due,
            "findings": list(state.findings),
            "used_by": list(secrets[state.name].users),
            "password_of": [login.store for login in secrets[state.name].stores],
        }
        for state in states
    ]
    rest = [{"name": name, "finding": finding} for name, finding in others]
    return json.dumps({"secrets": rows, "others": rest}, indent=2)
