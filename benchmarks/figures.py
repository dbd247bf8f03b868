"""Measured figures and their goals."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured quantity. `peer` is blackbox_exporter's; None where it has none or was not run.

    `goal` limits the ratio of the two if `goal_of` is "ratio", else our own value.
    """

    name: str
    unit: str
    ours: float | None
    peer: float | None = None
    goal: float | None = None
    goal_of: Literal["ours", "ratio"] = "ours"
    at_least: bool = False
    remark: str = ""

    @property
    def ratio(self) -> float | None:
        if self.ours is None or not self.peer or self.unit == "count":
            return None
        return self.ours / self.peer

    @property
    def judged(self) -> float | None:
        """Return the value that is compared with the goal."""
        return self.ratio if self.goal_of == "ratio" else self.ours

    @property
    def reached(self) -> bool | None:
        """True if the goal is reached; None without a goal."""
        judged = self.judged
        if self.goal is None or judged is None:
            return None
        return judged >= self.goal if self.at_least else judged <= self.goal

    def verdict(self) -> str:
        """Return `reached`, `short by …`, or an empty text."""
        if self.reached is None or self.judged is None or self.goal is None:
            return ""
        if self.reached:
            return "reached"
        unit = "" if self.goal_of == "ratio" else self.unit
        return f"short by {shown(abs(self.judged - self.goal), unit)}"

    def wanted(self) -> str:
        """Return the goal as text."""
        if self.goal is None:
            return ""
        sign = "≥" if self.at_least else "≤"
        return (
            f"ratio {sign} {self.goal:g}"
            if self.goal_of == "ratio"
            else f"{sign} {shown(self.goal, self.unit)}"
        )


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one case."""

    name: str
    title: str
    figures: list[Figure]
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        figures = [
            {**asdict(figure), "ratio": figure.ratio, "reached": figure.reached} for figure in self.figures
        ]
        return {"name": self.name, "title": self.title, "notes": self.notes, "figures": figures}


def shown(value: float | None, unit: str) -> str:
    """Format a value for a table, with as many digits as are meaningful."""
    if value is None:
        return "-"
    if unit == "%":
        return f"{value:.2f} %"
    text = f"{value:,.0f}" if abs(value) >= 100 or unit == "count" else f"{value:.3g}"
    return text if unit in ("", "count") else f"{text} {unit}"
