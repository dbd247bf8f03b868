"""What a measurement came to, and what was wanted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity. `peer` is blackbox_exporter's; None where it has none or was not run.

    `goal` limits the ratio of the two where `goal_of` is "ratio", else our own value.
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
        """What the goal is compared with."""
        return self.ratio if self.goal_of == "ratio" else self.ours

    @property
    def reached(self) -> bool | None:
        """None where there is no goal."""
        judged = self.judged
        if self.goal is None or judged is None:
            return None
        return judged >= self.goal if self.at_least else judged <= self.goal

    def verdict(self) -> str:
        """`reached`, `short by …`, or nothing."""
        if self.reached is None or self.judged is None or self.goal is None:
            return ""
        if self.reached:
            return "reached"
        unit = "" if self.goal_of == "ratio" else self.unit
        return f"short by {shown(abs(self.judged - self.goal), unit)}"

    def wanted(self) -> str:
        """The goal as text."""
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
    """Of one case."""

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
    """A value for a table, with as many digits as mean something."""
    if value is None:
        return "-"
    if unit == "%":
        return f"{value:.2f} %"
    text = f"{value:,.0f}" if abs(value) >= 100 or unit == "count" else f"{value:.3g}"
    return text if unit in ("", "count") else f"{text} {unit}"
