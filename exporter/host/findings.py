"""What the checks of the pre-flight look at, and what they find."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.host.compose import Compose
    from exporter.host.engine import Engine, EngineFacts
    from exporter.host.site import Site


class State(StrEnum):
    """How a finding stands in the way."""

    GOOD = "good"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"
    """It could not be found out, because something before it is wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `sentence` says what is wrong, where, and what to do; it is safe to print."""

    check: str
    state: State
    sentence: str


@dataclass
class Host:
    """What the checks look at. `engine`, `facts` and `compose` are None where a check before has failed."""

    site: Site
    engine: Engine | None = None
    facts: EngineFacts | None = None
    compose: Compose | None = None
