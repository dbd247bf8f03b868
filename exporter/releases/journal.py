"""The journal of a running deploy, from which the next run repairs an interrupted one.

Each step is written to disk before it begins. The file (`current` in the state folder) exists only during a deploy, or
after an interrupted one.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from exporter.host.failures import OperationError
from exporter.host.lock import who
from exporter.host.state import CURRENT

if TYPE_CHECKING:
    from exporter.host.state import StateFolder

_ID = re.compile(r"\d{8}T\d{6}Z-\d+", re.ASCII)
"""Ids are used as folder names and in tags."""


class Step(StrEnum):
    PREPARE = "prepare"
    BACKUP = "backup"
    IMAGES = "images"
    UP = "up"
    VERIFY = "verify"
    RECORD = "record"
    ROLLBACK = "rollback"


UNTOUCHED = frozenset({Step.PREPARE, Step.BACKUP, Step.IMAGES})
"""Steps that do not change running containers."""


class Way(StrEnum):
    """The command that wrote the journal."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Deploy:
    """One deploy or rollback. `base`: a rollback goes to the state before the deploy with this id. `service`: the only
    service that it changes; empty means all. `started`: seconds since 1970."""

    id: str
    kind: Way
    tag: str
    base: str
    started: int
    service: str
    user: str

    @classmethod
    def begin(cls, kind: Way, tag: str, service: str, base: str = "") -> Deploy:
        """Return a new one with an id of the current time. `base`: default: its own id, that is, the current state."""
        now = time.time()
        id_ = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{os.getpid()}"
        return cls(id_, kind, tag, base or id_, int(now), service, who())


@dataclass(frozen=True, slots=True)
class Journal:
    state: StateFolder

    def enter(self, deploy: Deploy, step: Step) -> None:
        """Record that `step` begins."""
        values = {f"DEPLOY_{key.upper()}": str(value) for key, value in asdict(deploy).items()}
        self.state.write_fields(CURRENT, {"step": str(step), **values})

    def interrupted(self) -> tuple[Deploy, Step] | None:
        """Return the interrupted deploy and its step, or None.

        Raises:
            OperationError: The journal cannot be read.
        """
        left = self.state.fields(CURRENT)
        if not left and self.state.read(CURRENT) is None:
            return None
        try:
            values = {key: left[f"DEPLOY_{key.upper()}"] for key in ("id", "tag", "base", "service", "user")}
            if not _ID.fullmatch(values["id"]) or not _ID.fullmatch(values["base"]):
                raise ValueError  # noqa: TRY301 - one sentence for all mistakes
            kind, started = Way(left["DEPLOY_KIND"]), int(left["DEPLOY_STARTED"])
            return Deploy(kind=kind, started=started, **values), Step(left["step"])
        except (KeyError, ValueError):
            raise OperationError(
                f"the journal {self.state.path / CURRENT} is damaged; check the services with `exporter status`, then "
                "remove the file and deploy again"
            ) from None

    def end(self) -> None:
        """Remove the journal: the deploy has ended and is recorded."""
        self.state.remove(CURRENT)


def is_id(text: str) -> bool:
    """True if `text` can be the id of a deploy."""
    return _ID.fullmatch(text) is not None
