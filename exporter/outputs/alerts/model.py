"""Data types of rules, and of the recipes from which they are made."""

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
    """The subject of an alert: a service, a store, a volume, a backup, or the exporter."""

    name: str
    """The value of the label that selects the subject's series."""
    alerts: Mapping[str, Alert] = field(default_factory=dict, hash=False)
    """The subject's settings of alerts in the catalog, by name."""
    owner: str | None = None
    runbook: str | None = None
    limit: Decimal | None = None
    """A threshold from another key of the catalog than `alerts`."""
    first_due: float = 0
    """Seconds until the first result is due, for recipes that wait for it."""
    service: str | None = None
    """The alert's label `service`, if the series has none."""
    values: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Values for examples, such as the names of the service's metrics."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one alert of one subject; subjects with equal settings share a rule."""

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
    """A series of an example, with its value while the alert fires (`bad`) and while it does not (`good`).

    For a counter, the value is its increase per minute. None: no sample. Text: these values in turn.
    """

    selector: str
    bad: Decimal | int | str | None
    good: Decimal | int | None
    counter: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """One subject of a rule, for a test that shows when the rule fires."""

    who: str
    name: str
    limit: Decimal
    """0 where the alert has no limit."""
    seconds: int
    """Seconds from the start of the test until the values are good again."""
    for_: float
    values: Mapping[str, str]

    @property
    def above(self) -> Decimal:
        """Return a ratio between the limit and 1."""
        return (self.limit + 1) / 2

    @property
    def has_plain_metrics(self) -> bool:
        """True if promtool can read the names of the service's metrics in a test."""
        names = [self.values.get(key) for key in ("requests", "durations")]
        return all(name is not None and is_metric_name(name) for name in names)

    @property
    def below(self) -> Decimal:
        return self.limit / 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe for the rules of one alert.

    In expressions `<who>` is the matcher of the rule's subjects, `<limit>` the threshold, and `<each>` the expression
    `each` of every subject, joined by `or`. Summary and description are templates of Prometheus.
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
    """Returns no series if a test cannot show the alert with these settings."""
    each: str = ""
    label: str = "service"
    waits: bool = False
    """If True, the subject's `first_due` is added to the duration, unless the catalog sets a duration."""
    window: int = 0
    """How many minutes the expression looks back."""
    keeps: str = ""
    """Labels that the alert keeps from the example's series, in addition to `service`."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule and its subjects."""

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
