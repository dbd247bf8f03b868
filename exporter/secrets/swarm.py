"""Secrets of a Swarm. They are immutable, so each value is a new secret, PROJECT-ENVIRONMENT-NAME-VERSION."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from exporter.host.failures import OperationError, Refused
from exporter.outputs.compose.secrets import version_variable
from exporter.secrets.origins import choose, value_of
from exporter.secrets.state import MISSING, State, aged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from exporter.secrets.inventory import Secret
    from exporter.secrets.origins import Given


class Manager(Protocol):
    """The part of the engine that is needed here."""

    def swarm_secrets(self) -> dict[str, str]:
        """Return the creation times of all secrets, by name."""

    def create_swarm_secret(self, name: str, value: bytes, labels: Mapping[str, str]) -> None:
        """Create a secret."""

    def remove_swarm_secret(self, name: str) -> None:
        """Remove a secret."""


@dataclass(frozen=True, slots=True)
class SwarmSecrets:
    """The secrets of one Compose project on a manager of a Swarm. `made`: creation times, by name."""

    manager: Manager
    project: str
    made: Mapping[str, str]

    @classmethod
    def on(cls, manager: Manager, project: str) -> SwarmSecrets:
        """Read the Swarm's secrets. Raises OperationError if the engine is not a manager of a Swarm."""
        try:
            return cls(manager, project, manager.swarm_secrets())
        except Refused as error:
            raise OperationError(
                f"the Swarm's secrets cannot be listed; run this on a manager of the Swarm: {error.sentence}"
            ) from None

    def versions(self, name: str) -> list[int]:
        """Return the versions of a secret, oldest first."""
        pattern = re.compile(re.escape(f"{self.project}-{name}-") + r"([1-9][0-9]{0,8})", re.ASCII)
        return sorted(int(match[1]) for made in self.made if (match := pattern.fullmatch(made)))

    def state(self, secret: Secret) -> State:
        """Return the state of the newest version."""
        versions = self.versions(secret.name)
        if not versions:
            return State(secret.name, None, secret.rotate_seconds, (MISSING,))
        # Without nanoseconds, which datetime cannot parse.
        text = self.made[self._full(secret.name, versions[-1])][:19]
        try:
            made = datetime.fromisoformat(text).replace(tzinfo=UTC)
        except ValueError:
            return State(secret.name, None, secret.rotate_seconds, ("its time cannot be read",))
        return aged(secret, (datetime.now(UTC) - made).total_seconds())

    def put(self, name: str, value: bytes) -> Iterator[str]:
        """Create the next version, keep the previous one, and remove older ones. Yields messages for the user."""
        versions = self.versions(name)
        version = versions[-1] + 1 if versions else 1
        full = self._full(name, version)
        self.manager.create_swarm_secret(full, value, {})
        yield f"{name}: compose.secrets.swarm.yaml uses {full} with {version_variable(name)}={version}"
        for old in versions[:-1]:
            try:
                self.manager.remove_swarm_secret(self._full(name, old))
            except Refused:
                yield f"{name}: {self._full(name, old)} is still in use, so it was not removed"

    def before(self, name: str) -> str:
        """Return a sentence on how to use the previous version again.

        Raises:
            OperationError: There is no previous version.
        """
        versions = self.versions(name)
        if len(versions) < 2:
            raise OperationError(f"{name} has no previous version in the Swarm")
        variable = f"{version_variable(name)}={versions[-2]}"
        return f"{name}: compose.secrets.swarm.yaml uses the previous version with {variable}"

    def _full(self, name: str, version: int) -> str:
        return f"{self.project}-{name}-{version}"


@dataclass(frozen=True, slots=True)
class SwarmChanges:
    """Methods `create`, `rotate` and `revert` for a Swarm's secrets. Changes does the same for files."""

    swarm: SwarmSecrets
    sources: Path
    environment: str
    say: Callable[[str], None]
    confirm: Callable[[str, Sequence[Secret]], None]
    dry_run: bool = False
    file_only: bool = False

    def create(self, secrets: Iterable[Secret], given: Given) -> None:
        """Create missing secrets."""
        todo = []
        for secret in secrets:
            if self.swarm.versions(secret.name):
                self.say(f"{secret.name} exists and is kept")
            else:
                todo.append(secret)
        self._put(todo, given, "create")

    def rotate(self, secrets: Iterable[Secret], given: Given, *, named: bool) -> None:
        """Create a new version of the named secrets, or else of those that are due."""
        todo = []
        for secret in secrets:
            state = self.swarm.state(secret)
            if state.missing and named:
                raise OperationError(
                    f"{secret.name} is missing; create it with: "
                    f"exporter secrets create {secret.name} -e {self.environment} --swarm"
                )
            if not state.missing and (named or state.due):
                todo.append(secret)
        for secret in todo:
            if secret.stores and not self.file_only:
                raise OperationError(
                    f"{secret.name} is the password of {secret.stores[0].store}, whose container may be on any node of "
                    "the Swarm: change it in the store yourself, and add --file-only"
                )
        self._put(todo, given, "rotate")

    def revert(self, secrets: Iterable[Secret]) -> None:
        """Print how to use the previous version again. The Swarm still has it, but never returns its value."""
        for secret in secrets:
            self.say(self.swarm.before(secret.name))

    def end(self) -> None:
        """Do nothing: there is nothing to report."""

    def _put(self, secrets: Sequence[Secret], given: Given, verb: str) -> None:
        origins = [choose(secret, given, self.sources, None) for secret in secrets]
        if not secrets:
            self.say(f"secrets of {self.environment}: nothing to {verb}")
        elif verb == "rotate" and not self.dry_run:
            self.confirm("Rotate", secrets)
        for origin in origins:
            if self.dry_run:
                self.say(f"would {verb} {origin.name} {origin}")
                continue
            value = value_of(origin)
            self.say(f"{origin.name}: {verb}d {origin}")
            for sentence in self.swarm.put(origin.name, value):
                self.say(sentence)
