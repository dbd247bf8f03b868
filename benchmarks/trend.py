"""Trends of a quantity over time, as lines that are robust against a few outliers."""

from __future__ import annotations

from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes between all pairs of points (Theil-Sen estimator)."""
    return median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2))


def growth(points: Sequence[tuple[float, float]]) -> float:
    """Return the rise of the line through the points from the first to the last."""
    return slope(points) * (points[-1][0] - points[0][0])


def second_half(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    return points[len(points) // 2 :]
