"""Rules as they are before they become text, and the recipes that they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.outputs.alerts.promql import is_metric_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from exporter.catalog.keys.container.alerts import Alert


@dataclass(frozen=True, slots=True)
class Subject:
    """What one alert can be about: a service, a store, a volume, a backup, or the exporter."""

    name: str
    """The value of the label that selects its series."""
    alerts: Mapping[str, Alert] = field(default_factory=dict, hash=False)
    """What the catalog says of alerts here, by name."""
    owner: str | None = None
    runbook: str | None = None
    limit: Decimal | None = None
    """A threshold that the catalog holds elsewhere than in `alerts`."""
    first_due: float = 0
    """Seconds until there must be something for the first time, where a recipe waits for that."""
    service: str | None = None
    """The label `service` of the alert, where the series has none."""
    values: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What examples need to know, such as the names of the service's metrics."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for one alert of one subject; subjects with equal settings share a rule."""

    severity: str
    for_: float
    """Seconds."""
    limit: Decimal | None
    """A ratio, seconds or a number."""
    owner: str | None
    runbook: str | None
    service: str | None


@dataclass(frozen=True, slots=True)
class Series:
    """A series of an example: its value, or how much a counter grows in a minute, while things are bad, and while
    they are good. None: no sample. Text: these values by turns.
    """

    selector: str
    bad: Decimal | int | str | None
    good: Decimal | int | None
    counter: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """One subject under a rule, to show when it fires."""

    who: str
    name: str
    limit: Decimal
    """0 where the alert has no limit."""
    seconds: int
    """From the start of the test until things are good again."""
    for_: float
    values: Mapping[str, str]

    @property
    def above(self) -> Decimal:
        """A ratio between the limit and 1."""
        return (self.limit + 1) / 2

    @property
    def has_plain_metrics(self) -> bool:
        """Whether the service's metrics have names that promtool can read in a test."""
        names = [self.values.get(key) for key in ("requests", "durations")]
        return all(name is not None and is_metric_name(name) for name in names)

    @property
    def below(self) -> Decimal:
        return self.limit / 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the rules of one alert are made.

    In expressions `<who>` is the matcher of the rule's subjects, `<limit>` the threshold, and `<each>` what `each`
    makes of every subject, joined by `or`. Summary and description are templates of Prometheus.
    """

    alert: str
    group: str
    subjects: str
    """The key of `subjects.subjects_of`."""
    expr: str
    summary: str
    description: str
    dashboard: str
    example: Callable[[Example], tuple[Series, ...]]
    """None of them: it cannot be shown with these settings."""
    each: str = ""
    label: str = "service"
    waits: bool = False
    """Unless the catalog says how long it must last, it must last longer by the subject's `first_due`."""
    window: int = 0
    """Minutes that the expression looks back."""
    keeps: str = ""
    """Labels that the alert takes from the example's series, beside `service`."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule, and who it is about."""

    recipe: Recipe
    expr: str
    settings: Settings
    subjects: tuple[Subject, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RecordingRule:
    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
