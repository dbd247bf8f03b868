"""What an engine's module says: which question to ask inside a container, with passwords on standard input alone.

A command line and an environment can be read by every process of the container, and by whoever can ask the Docker
engine; standard input cannot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.secrets.inventory import Login


@dataclass(frozen=True, slots=True)
class Question:
    """A program of the container and its standard input; it was answered with yes if standard output is `yes`."""

    argv: tuple[str, ...]
    given: bytes = field(repr=False)
    yes: bytes


@dataclass(frozen=True, slots=True)
class StoreEngine:
    """One engine. A password is one line of UTF-8.

    `title`: its name as people write it. `enter`: can the password be changed by one who knows this value? `change`:
    log in with the first value, and set the second. `accepts`: does this value log in, as it does for services?
    `keeps_both`: the old value logs in, too, until the store starts again.
    """

    title: str
    enter: Callable[[Login, bytes], Question]
    change: Callable[[Login, bytes, bytes], Question]
    accepts: Callable[[Login, bytes], Question]
    keeps_both: bool = False
    restarts: bool = True
    """Whether the store must start again for its own tools (backups, health check) to know the new value."""
