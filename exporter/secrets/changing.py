"""`create`, `rotate` and `revert` for secrets that are files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.host.failures import OperationError
from exporter.secrets.engines import ENGINES
from exporter.secrets.journal import FILES, PREPARE, REVERT, ROTATE
from exporter.secrets.origins import Given, choose, value_of
from exporter.secrets.state import IRREGULAR, MISSING, file_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from exporter.secrets.folder import SecretsFolder
    from exporter.secrets.inventory import Secret
    from exporter.secrets.journal import Entry
    from exporter.secrets.rotation import Rotation


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes to the files of an environment, under the folder's lock except in a dry run.

    `sources`: the catalog's folder. `confirm` raises if the user does not agree.
    """

    folder: SecretsFolder
    sources: Path
    environment: str
    rotation: Rotation
    say: Callable[[str], None]
    confirm: Callable[[str, Sequence[Secret]], None]
    dry_run: bool = False
    done: list[Secret] = field(default_factory=list)

    def create(self, secrets: Iterable[Secret], given: Given) -> None:
        """Create missing secrets. Existing ones keep their value, and get the right mode and owner."""
        todo = []
        for secret in secrets:
            state = file_state(self.folder, secret)
            self._entry(secret)
            if state.missing:
                todo.append(secret)
            elif IRREGULAR in state.findings:
                raise OperationError(
                    f"{self.folder.file(secret.name)} is not a regular file; check what it is, and remove it"
                )
            else:
                self._keep(secret, right=not state.findings)
        origins = [choose(secret, given, self.sources, self.folder.file(secret.name)) for secret in todo]
        for origin in origins:
            if self.dry_run:
                self.say(f"would create {origin.name} {origin}")
                continue
            self.folder.create(origin.name, value_of(origin))
            self.say(f"{origin.name}: created {origin}")
        if not todo:
            self.say(f"secrets of {self.environment}: nothing to create")

    def rotate(self, secrets: Sequence[Secret], given: Given, *, named: bool) -> None:
        """Set new values for the named secrets, or else for those that are due or whose rotation was interrupted."""
        todo = []
        for secret in secrets:
            state = file_state(self.folder, secret)
            if self._resume(secret, given):
                continue
            if state.missing:
                if named:
                    raise OperationError(
                        f"{secret.name} is missing; create it with: "
                        f"exporter secrets create {secret.name} -e {self.environment}"
                    )
            elif named or state.due:
                self._need_file(secret)
                todo.append(secret)
        origins = {
            secret.name: choose(secret, given, self.sources, self.folder.file(secret.name)) for secret in todo
        }
        for secret in todo:
            self.rotation.check(secret)
        if self.dry_run:
            for secret in todo:
                self.say(f"would rotate {secret.name} {origins[secret.name]}{self._in_stores(secret)}")
            return
        if todo:
            self.confirm("Rotate", todo)
        elif not self.done:
            self.say(f"secrets of {self.environment}: nothing to rotate")
        for secret in todo:
            value = value_of(origins[secret.name])
            if value == self.folder.read(self.folder.file(secret.name)):
                raise OperationError(f"{secret.name}: the new value is the same as the current one")
            self.rotation.run(secret, value, ROTATE)
            self._changed(secret, f"rotated {origins[secret.name]}")

    def revert(self, secrets: Sequence[Secret]) -> None:
        """Restore the previous value in the file and the stores. The current one becomes the previous value."""
        todo = []
        for secret in secrets:
            if self._take_back(secret):
                continue
            self._need_file(secret)
            if not self.folder.previous(secret.name).is_file():
                raise OperationError(f"{secret.name} has no previous value")
            todo.append(secret)
        for secret in todo:
            self.rotation.check(secret)
        if self.dry_run:
            for secret in todo:
                self.say(f"would revert {secret.name} to the previous value{self._in_stores(secret)}")
            return
        if todo:
            self.confirm("Revert", todo)
        for secret in todo:
            place = self.folder.previous(secret.name)
            self.rotation.run(secret, self.folder.read(place), REVERT, place.stat().st_mtime_ns)
            self._changed(secret, "reverted to the previous value")

    # --- interrupted rotations ---

    def _resume(self, secret: Secret, given: Given) -> bool:
        """Complete an interrupted rotation; True if there was one."""
        entry = self._entry(secret)
        if entry is None:
            return False
        if entry.verb == REVERT:
            raise OperationError(
                f"a revert of {secret.name} was interrupted; {entry.next_commands(self.environment)}"
            )
        if given != Given():
            raise OperationError(
                f"a rotation of {secret.name} to another value was interrupted; {entry.next_commands(self.environment)}"
            )
        self._complete(secret, entry)
        return True

    def _take_back(self, secret: Secret) -> bool:
        """Undo an interrupted rotation, or complete an interrupted revert; True if nothing else is left to do."""
        entry = self._entry(secret)
        if entry is None:
            return False
        if entry.verb == REVERT or entry.step == FILES:
            self._complete(secret, entry)
            return entry.verb == REVERT
        if self.dry_run:
            self.say(f"would undo the rotation of {secret.name} that was interrupted at {entry.since}")
            return True
        self.rotation.take_back(secret)
        self._changed(secret, f"the rotation that was interrupted at {entry.since} was undone")
        return True

    def _entry(self, secret: Secret) -> Entry | None:
        """Return an interrupted change that may have reached a store; discard one that changed nothing."""
        entry = self.rotation.journal.entry(secret.name) if secret.stores else None
        if entry is not None and entry.step != PREPARE:
            return entry
        if not self.dry_run and (entry is not None or self.folder.next(secret.name).exists()):
            self.rotation.forget(secret)
        return None

    def _complete(self, secret: Secret, entry: Entry) -> None:
        if self.dry_run:
            self.say(
                f"would complete the {entry.verb} of {secret.name} that was interrupted at {entry.since}"
            )
            return
        self.rotation.complete(secret, entry)
        self._changed(secret, f"the {entry.verb} that was interrupted at {entry.since} is complete")

    # --- steps ---

    def _keep(self, secret: Secret, *, right: bool) -> None:
        if right:
            self.say(f"{secret.name} exists and is kept")
            return
        access = f"mode {self.folder.owner.mode:04o} and owner {self.folder.owner}"
        if self.dry_run:
            self.say(f"would keep {secret.name}, and set {access}")
            return
        self.folder.own(secret.name)
        self.say(f"{secret.name} exists and is kept; set {access}")

    def _need_file(self, secret: Secret) -> None:
        """Raise OperationError if the secret has no file that can be kept as the previous value."""
        state = file_state(self.folder, secret)
        for finding in (MISSING, IRREGULAR):
            if finding in state.findings:
                raise OperationError(f"{self.folder.file(secret.name)} is {finding}; check it by hand")

    def _in_stores(self, secret: Secret) -> str:
        if not secret.stores:
            return ""
        names = ", ".join(f"{login.store} ({ENGINES[login.engine].title})" for login in secret.stores)
        return f", but not in {names}" if self.rotation.stores is None else f", and in {names}"

    def _changed(self, secret: Secret, how: str) -> None:
        self.done.append(secret)
        self.say(f"{secret.name}: {how}")
        for login in secret.stores:
            if self.rotation.stores is None:
                self.say(f"{secret.name}: {login.store} still has the old password; change it there")
            elif ENGINES[login.engine].keeps_both:
                self.say(f"{secret.name}: {login.store} also accepts the old password until it is restarted")
        if not secret.users and not secret.stores:
            self.say(f"{secret.name}: restart the services that use it")

    def end(self) -> None:
        """Print the command that restarts the services that must read the new values."""
        services: dict[str, None] = {}
        for secret in self.done:
            passwords = {login.store: ENGINES[login.engine] for login in secret.stores}
            services |= dict.fromkeys(
                user for user in secret.users if user not in passwords or passwords[user].restarts
            )
            services |= dict.fromkeys(store for store, engine in passwords.items() if engine.restarts)
        if services:
            self.say(
                "restart the services that use it: "
                f"exporter compose -e {self.environment} -- restart {' '.join(services)}"
            )
