"""The journal of running and interrupted rotations: a file for each in the state folder, written before each step.

`rotations/NAME/step` has the lines verb, step, stores, user and since. The new value is in the secrets folder, never
here. Each secret has its own folder, since its name may look like that of a temporary file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.host.lock import who
from exporter.host.shown import shown

if TYPE_CHECKING:
    from exporter.host.state import StateFolder

FOLDER = "rotations"
ROTATE, REVERT = "rotate", "revert"

PREPARE = "prepare"
"""The new value is being written; no store has it."""
STORES = "stores"
"""The stores are being changed; each has the old value or the new one."""
FILES = "files"
"""All stores have the new value; the file has the old one or the new one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A rotation that was not finished."""

    name: str
    verb: str
    step: str
    since: str

    def next_commands(self, environment: str) -> str:
        """Return the commands that complete or undo the rotation."""
        forward = f"complete it with: exporter secrets {self.verb} {self.name} -e {environment}"
        if self.verb == REVERT:
            return forward
        return f"{forward}, or undo it with: exporter secrets revert {self.name} -e {environment}"


@dataclass(frozen=True, slots=True)
class Journal:
    """The entries in a state folder."""

    state: StateFolder

    def entry(self, name: str) -> Entry | None:
        """Return the entry of a secret whose rotation was not finished, or None."""
        fields = self.state.fields(f"{FOLDER}/{name}/step")
        if not fields:
            return None
        verb = REVERT if fields.get("verb") == REVERT else ROTATE
        step = fields.get("step", "")
        # An unknown step was written by another version: any store may have any value.
        return Entry(
            name, verb, step if step in (PREPARE, FILES) else STORES, shown(fields.get("since", "?"))
        )

    def write(self, name: str, verb: str, step: str, stores: tuple[str, ...]) -> None:
        """Record that a step begins."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = {"verb": verb, "step": step, "stores": " ".join(stores), "user": who(), "since": now}
        self.state.write_fields(f"{FOLDER}/{name}/step", fields)

    def remove(self, name: str) -> None:
        """Record that a rotation has finished."""
        self.state.remove(f"{FOLDER}/{name}")
