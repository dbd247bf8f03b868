"""Input and results of the pre-flight checks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.host.compose import Compose
    from exporter.host.engine import Engine, EngineFacts
    from exporter.host.site import Site


class State(StrEnum):
    """The severity of a finding."""

    GOOD = "good"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"
    """Not checked, because something it depends on failed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `sentence` says what is wrong, where, and what to do; it is safe to print."""

    check: str
    state: State
    sentence: str


@dataclass
class Host:
    """The input of the checks. `engine`, `facts` and `compose` are None if an earlier check has failed."""

    site: Site
    engine: Engine | None = None
    facts: EngineFacts | None = None
    asked: tuple[float, float] = (0.0, 0.0)
    """Times of the request for the facts and of the answer, by this host's clock."""
    compose: Compose | None = None
