"""Context of a command: the environment, the chosen secrets, their folder or Swarm, and the locks."""

from __future__ import annotations

import resource
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.host.command import operation
from exporter.host.engine import connected
from exporter.host.failures import WRONG_USAGE, OperationError
from exporter.host.lock import locked
from exporter.outputs.base import OutputError
from exporter.outputs.compose.secrets import env_files
from exporter.secrets.changing import Changes
from exporter.secrets.env_files import EnvFiles
from exporter.secrets.folder import Owner, SecretsFolder
from exporter.secrets.inventory import InventoryError, inventory
from exporter.secrets.journal import Journal
from exporter.secrets.prompt import confirmed
from exporter.secrets.rotation import Rotation
from exporter.secrets.state import file_state
from exporter.secrets.stores import Stores
from exporter.secrets.swarm import SwarmChanges, SwarmSecrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from exporter.host.command import Run
    from exporter.host.site import Site
    from exporter.secrets.inventory import Secret
    from exporter.secrets.state import State


@dataclass(frozen=True, slots=True)
class Work:
    """One run of a command. `swarm`: None if the secrets are files."""

    run: Run
    site: Site
    inventory: Mapping[str, Secret]
    chosen: tuple[Secret, ...]
    folder: SecretsFolder
    swarm: SwarmSecrets | None

    @property
    def env_files(self) -> EnvFiles:
        """Return the files of the variables that hold secrets."""
        return EnvFiles(self.folder, env_files(self.site.catalog))

    def states(self) -> list[State]:
        """Return the state of each chosen secret."""
        if self.swarm is not None:
            return [self.swarm.state(secret) for secret in self.chosen]
        return [self._state(secret) for secret in self.chosen]

    @contextmanager
    def changes(
        self, *, stores: bool, yes: bool, dry_run: bool, file_only: bool = False
    ) -> Iterator[Changes | SwarmChanges]:
        """Take the locks, and connect to the engine if `stores` are to be changed; at the end print what to restart."""
        say = self.run.screen.say

        def confirm(verb: str, secrets: Sequence[Secret]) -> None:
            if not yes:
                _ask(f"{verb} {' '.join(secret.name for secret in secrets)} of {self.site.environment}?")

        if self.swarm is not None:
            yield SwarmChanges(
                self.swarm, self.site.catalog.folder, self.site.environment, say, confirm, dry_run, file_only
            )
            return
        with ExitStack() as stack:
            rotated = stores and any(secret.stores for secret in self.chosen)
            inside = None
            if rotated and not file_only:
                if left := self.site.state.restore_left(self.site.environment):
                    raise OperationError(left)
                engine = stack.enter_context(connected(self.site.docker_host))
                inside = Stores(engine, self.site.compose_project, self.site.environment)
            if rotated and not dry_run:
                stack.enter_context(locked(self.site.state, self.run.name, self.site.title, say))
            if not dry_run:
                stack.enter_context(self.folder.locked())
            journal = Journal(self.site.state)
            rotation = Rotation(self.folder, journal, inside, self.site.environment, say)
            changes = Changes(
                self.folder,
                self.site.catalog.folder,
                self.site.environment,
                rotation,
                self.env_files,
                say,
                confirm,
                dry_run,
            )
            problems: list[str] = []
            try:
                yield changes
            finally:
                problems = changes.end()
                for problem in problems:
                    say(problem)
            if problems:
                raise OperationError("not every env file could be made; Compose cannot start what needs them")

    def _state(self, secret: Secret) -> State:
        """Return the state of a file, with a finding if its rotation was not finished."""
        state = file_state(self.folder, secret)
        entry = Journal(self.site.state).entry(secret.name) if secret.stores else None
        if entry is None:
            return state
        finding = (
            f"its {entry.verb} was interrupted at {entry.since}; {entry.next_commands(self.site.environment)}"
        )
        return replace(state, findings=(*state.findings, finding))


@contextmanager
def work(
    verb: str,
    config: Path,
    environment: str | None,
    root: Path | None,
    names: Sequence[str] | None,
    *,
    swarm: bool,
) -> Iterator[Work]:
    """Load the environment and choose the secrets. Errors become a sentence and an exit status."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with operation(f"secrets {verb}") as run, ExitStack() as stack:
        site = run.load(config, environment, root)
        try:
            known = inventory(site.catalog)
        except (InventoryError, OutputError) as error:
            raise OperationError(str(error), WRONG_USAGE) from None
        folder = SecretsFolder(site.secrets_folder, Owner.default())
        there = None
        if swarm:
            there = SwarmSecrets.on(stack.enter_context(connected(site.docker_host)), site.compose_project)
        else:
            folder.check_readable()
        yield Work(run, site, known, _chosen(known, names or (), site.environment), folder, there)


def _chosen(known: Mapping[str, Secret], names: Sequence[str], environment: str) -> tuple[Secret, ...]:
    """Return the secrets with these names, each once; without names, all."""
    if any(name not in known for name in names):
        # The name is not repeated: it may be a secret passed by mistake.
        raise OperationError(
            f"one of these names is not a secret of {environment}, which has: {', '.join(known)}",
            WRONG_USAGE,
        )
    return tuple(known[name] for name in dict.fromkeys(names or known))


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise OperationError("this needs a confirmation, but there is no terminal; use --yes")
    if not confirmed(question):
        raise OperationError("nothing was changed")
