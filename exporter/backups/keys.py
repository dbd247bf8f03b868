"""The key of a host's backups: whoever has it can make a manifest that a restore believes.

It lies in the environment's secrets folder as `_backup_key`, 64 hexadecimal digits, mode 0400. The first backup makes
it. No secret of a catalog can have this name, and no container gets this file. Without a copy of it elsewhere, the
backups in a bucket cannot be restored on a new host: keep it with the private key of the encryption.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import os
import re
import secrets
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.backups.subjects import BackupsError
from exporter.catalog.planning.places import secrets_folder
from exporter.catalog.planning.secret_paths import FOLDER_VARIABLE, absolute
from exporter.files import read_regular

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

KEY_FILE = "_backup_key"
_BYTES = 32
_TEXT = re.compile(rf"[0-9a-f]{{{2 * _BYTES}}}")
_NO_KEY = f"no key of backups; one is {2 * _BYTES} hexadecimal digits"
_STANDARD_INPUT = Path("-")
_MAX_FILE = 1024
_PURPOSE = b"pageforge-exporter backup manifest\0"
"""What is authenticated begins with this, so that the key proves nothing of any other text."""
_MAC = re.compile(r"hmac-sha256 (?P<key>[0-9a-f]{16}) (?P<mac>[0-9a-f]{64})\n?")


class KeyMissingError(BackupsError):
    """There is no key, so a backup is neither authentic nor forged."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key. Its text is never shown; `id` tells one from another."""

    _secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return hashlib.sha256(b"pageforge-exporter backup key\0" + self._secret).hexdigest()[:16]

    def seal(self, text: bytes) -> str:
        """Return the line that authenticates `text`."""
        return f"hmac-sha256 {self.id} {self._mac(text)}\n"

    def check(self, text: bytes, line: str) -> None:
        """Raise BackupsError unless `line` was made of `text` with this key. The error is a clause."""
        found = _MAC.fullmatch(line)
        if found is None:
            raise BackupsError("its authentication code is not one")
        if hmac.compare_digest(found["mac"], self._mac(text)):
            return
        if found["key"] != self.id:
            raise BackupsError(
                f"it was made with the key {found['key']}, and this one is {self.id}; name the right one with --key"
            )
        raise BackupsError("its manifest was altered or forged; its authentication code does not match")

    def text(self) -> str:
        """Return what a key file holds."""
        return self._secret.hex() + "\n"

    def _mac(self, text: bytes) -> str:
        return hmac.new(self._secret, _PURPOSE + text, hashlib.sha256).hexdigest()


def key_file(catalog: Catalog) -> Path:
    """Return where the key of this environment lies on a host."""
    folder = os.environ.get(FOLDER_VARIABLE) or secrets_folder(catalog)
    return Path(absolute(catalog, folder)) / KEY_FILE


def read_key(place: Path, *, private: bool = False) -> Key:
    """Return the key in a file. `private`: refuse a file that other users can read or change.

    Raises:
        KeyMissingError: There is no such file.
        BackupsError: The file cannot be read, or holds no key.
    """
    try:
        if private and place.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BackupsError(f"other users may read or change the key {place}; run: chmod 0400 {place}")
        text = read_regular(place, _MAX_FILE).decode("ascii", "replace").strip()
    except FileNotFoundError:
        raise KeyMissingError(f"there is no key of backups at {place}") from None
    except OSError as error:
        raise BackupsError(f"the key of backups {place} cannot be read: {error.strerror}") from None
    return _key(text, f"{place} holds {_NO_KEY}")


def make_key(place: Path) -> tuple[Key, bool]:
    """Return the key in `place`, and True if it was made now. Of two at once, one makes it. Raises BackupsError."""
    with suppress(KeyMissingError):
        return read_key(place, private=True), False
    made = install_key(Key(secrets.token_bytes(_BYTES)), place)
    return read_key(place, private=True), made


def install_key(key: Key, place: Path) -> bool:
    """Write the key unless there is one; False if there is. The file is whole or not there. Raises BackupsError."""
    new = place.with_name(f"{place.name}.new.{secrets.token_hex(4)}")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(key.text())
                file.flush()
                os.fsync(file.fileno())
            place.hardlink_to(new)
        finally:
            new.unlink(missing_ok=True)
        _sync(place.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise BackupsError(
            f"the key of backups {place} cannot be written: {error.strerror}; "
            f"run as a user who may, or set {FOLDER_VARIABLE}"
        ) from None
    return True


def key_for_reading(place: Path, named: Path | None = None) -> Key:
    """Return the key that backups are read with: the named file's, else this host's, else what a person types.

    Raises:
        KeyMissingError: There is none, and no terminal to ask on.
        BackupsError: The file holds no key, or what was typed is none.
    """
    if named == _STANDARD_INPUT:
        return _key(
            sys.stdin.buffer.read(_MAX_FILE).decode("ascii", "replace").strip(),
            f"standard input holds {_NO_KEY}",
        )
    if named is not None:
        return read_key(named)
    try:
        return read_key(place, private=True)
    except KeyMissingError:
        if not sys.stdin.isatty():
            raise KeyMissingError(
                f"there is no key of backups at {place}, so nobody can tell whether a backup is authentic; "
                "name a copy of it with --key FILE"
            ) from None
    text = getpass.getpass(f"Key of the backups ({2 * _BYTES} hexadecimal digits; not shown): ")
    return _key(text.strip(), f"that is {_NO_KEY}")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _key(text: str, refusal: str) -> Key:
    if not _TEXT.fullmatch(text.lower()):
        raise BackupsError(refusal)
    return Key(bytes.fromhex(text))
