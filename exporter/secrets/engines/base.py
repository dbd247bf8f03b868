"""The interface of an engine's module: questions to run in a container, with passwords on standard input only.

A command line and an environment can be read by every process in the container, and by everybody with access to the
Docker engine. Standard input cannot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.secrets.inventory import Login


@dataclass(frozen=True, slots=True)
class Question:
    """A program in the container and its standard input. The answer is yes if standard output is `yes`."""

    argv: tuple[str, ...]
    given: bytes = field(repr=False)
    yes: bytes


@dataclass(frozen=True, slots=True)
class StoreEngine:
    """One engine. A password is one line of UTF-8.

    `title`: display name. `enter`: can this value be used to change the password? `change`: log in with the first
    value, and set the second. `accepts`: can services log in with this value? `keeps_both`: the old value also works
    until the store is restarted.
    """

    title: str
    enter: Callable[[Login, bytes], Question]
    change: Callable[[Login, bytes, bytes], Question]
    accepts: Callable[[Login, bytes], Question]
    keeps_both: bool = False
    restarts: bool = True
    """True if the store must be restarted before its own tools (backups, health check) use the new value."""
