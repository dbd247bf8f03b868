"""Rotation of a secret that is a store's password: one transaction over the stores and the file.

1. the new value is written next to the old one                           (journal: prepare)
2. it is set in each store, and verified by a login                       (journal: stores)
3. the old value is kept as NAME.previous and replaced with the new one   (journal: files)

The journal is written before each step. A failed step is undone. After an interruption, the next command completes or
undoes the rotation, depending on which values the stores accept.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.host.failures import EngineLost, Interrupted, OperationError
from exporter.secrets.engines import ENGINES
from exporter.secrets.journal import FILES, PREPARE, REVERT, STORES, Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.secrets.folder import SecretsFolder
    from exporter.secrets.inventory import Secret
    from exporter.secrets.journal import Entry
    from exporter.secrets.stores import Stores


class _TakenBackError(OperationError):
    """A step failed, and everything was restored."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotations of an environment. The locks of both folders must be held.

    `stores`: None to change only the files; the user then changes the stores. `say` shows a sentence.
    """

    folder: SecretsFolder
    journal: Journal
    stores: Stores | None
    environment: str
    say: Callable[[str], None]

    def check(self, secret: Secret) -> None:
        """Raise OperationError unless each store can be changed. Changes nothing."""
        if self.stores is not None and secret.stores:
            self.stores.check(secret.stores, self._known(secret))

    def run(self, secret: Secret, value: bytes, verb: str, modified_ns: int | None = None) -> None:
        """Set a new value in the secret and its stores.

        Raises:
            OperationError: It was undone, or the sentence has the command that completes it.
        """
        if self.stores is None or not secret.stores:
            self.folder.prepare(secret.name, value, modified_ns)
            self.folder.replace(secret.name)
            return
        if not _is_password(value):
            raise OperationError(
                f"{secret.name}: a store's password must be one line of UTF-8 text, but the new value is not"
            )
        self._note(secret, verb, PREPARE)
        self.folder.prepare(secret.name, value, modified_ns)
        self._forward(secret, verb)

    def complete(self, secret: Secret, entry: Entry) -> None:
        """Complete a rotation that was interrupted after a store may have been changed."""
        if entry.step == FILES:
            self._replace(secret)
            return
        path = self.folder.next(secret.name)
        if not path.exists():
            raise OperationError(
                f"the new value of {secret.name} is missing ({path}), so its rotation cannot be completed; undo it "
                f"with: exporter secrets {REVERT} {secret.name} -e {self.environment}"
            )
        self._forward(secret, entry.verb)

    def take_back(self, secret: Secret) -> None:
        """Set the stores to the old value, which the file still has, and discard the new one."""
        with self._resumable(secret):
            self._set(secret, self._password(self.folder.file(secret.name)))
            self.forget(secret)

    def forget(self, secret: Secret) -> None:
        """Discard a rotation that has changed nothing."""
        self.folder.discard(secret.name)
        self.journal.remove(secret.name)

    def _forward(self, secret: Secret, verb: str) -> None:
        with self._resumable(secret):
            self._note(secret, verb, STORES)
            try:
                self._set(secret, self._password(self.folder.next(secret.name)))
            except EngineLost:
                raise
            except OperationError as error:
                self.say(f"{secret.name}: undoing the change, because {error.sentence}")
                self.take_back(secret)
                raise _TakenBackError(
                    f"{error.sentence}; the change was undone, and the old value is still valid"
                ) from None
            self._note(secret, verb, FILES)
            self._replace(secret)

    def _replace(self, secret: Secret) -> None:
        self.folder.replace(secret.name)
        self.journal.remove(secret.name)

    def _set(self, secret: Secret, value: bytes) -> None:
        if self.stores is None:
            return
        known = self._known(secret)
        for login in secret.stores:
            engine = ENGINES[login.engine]
            self.say(
                f"{secret.name}: changing the password of {login.user} in {login.store} ({engine.title})"
            )
            self.stores.change(login, known, value)

    def _known(self, secret: Secret) -> list[bytes]:
        """Return every value that a store may have, most likely first."""
        name = secret.name
        places = (self.folder.file(name), self.folder.next(name), self.folder.previous(name))
        values = [self._password(place) for place in places if place.exists()]
        return [value for value in values if _is_password(value)]

    def _password(self, path: Path) -> bytes:
        """Return a value as services and stores read it from its file: without a final line break."""
        return self.folder.read(path).removesuffix(b"\n").removesuffix(b"\r")

    def _note(self, secret: Secret, verb: str, step: str) -> None:
        self.journal.write(secret.name, verb, step, tuple(login.store for login in secret.stores))

    @contextmanager
    def _resumable(self, secret: Secret) -> Iterator[None]:
        """Keep the journal if the block is interrupted, and add the next command to the error."""
        try:
            yield
        except (OperationError, KeyboardInterrupt) as error:
            entry = self.journal.entry(secret.name)
            if entry is None or isinstance(error, _TakenBackError):
                raise
            kept = f"The rotation of {secret.name} is not finished: {entry.next_commands(self.environment)}"
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(f"interrupted. {kept}") from None
            if kept not in error.sentence:
                error.sentence += f". {kept}"
            raise


def _is_password(value: bytes) -> bool:
    """True if the value is one line of UTF-8, which every engine accepts and every file stores unambiguously."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return bool(value) and not any(byte < 0x20 or byte == 0x7F for byte in value)
