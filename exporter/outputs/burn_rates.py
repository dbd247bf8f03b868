"""The table of burn rates, from which the rules, their tests and the dashboard are generated.

The windows and factors are those of the Site Reliability Workbook, chapter 5: multiple windows, multiple burn rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from exporter.catalog.values.scalars import parse_duration

DAY = 86400
FACTORS_DAYS = 30
"""The period that the factors below are meant for; they are scaled for other periods."""


@dataclass(frozen=True, slots=True)
class BurnRate:
    """A limit: over both windows the budget burns more than `factor` times as fast as it may.

    The long window shows that it matters, the short one that it is still going on.
    """

    alert: str
    factor: Decimal
    short: str
    long: str


BURN_RATES = (
    BurnRate("SloBurnRateFast", Decimal("14.4"), "5m", "1h"),
    BurnRate("SloBurnRateFast", Decimal(6), "30m", "6h"),
    BurnRate("SloBurnRateSlow", Decimal(3), "2h", "1d"),
    BurnRate("SloBurnRateSlow", Decimal(1), "6h", "3d"),
)

WINDOWS = tuple(sorted({w for rate in BURN_RATES for w in (rate.short, rate.long)}, key=parse_duration))
"""Each window once, the shortest first."""


def quiet_minutes(alert: str) -> int:
    """Return how many minutes an alert keeps firing after the last failure: the longest of its short windows."""
    return round(max(parse_duration(rate.short) for rate in BURN_RATES if rate.alert == alert) / 60)
