"""The backup key of a host. Anybody who has it can make a manifest that a restore accepts.

It is the file `_backup_key` in the environment's secrets folder: 64 hexadecimal digits, mode 0400. The first backup
creates it. No secret of a catalog can have this name, and no container gets this file. Without a copy elsewhere, a new
host cannot restore the backups in a bucket: keep a copy with the private key of the encryption.
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
_NO_KEY = f"not a backup key, which has {2 * _BYTES} hexadecimal digits"
_STANDARD_INPUT = Path("-")
_MAX_FILE = 1024
_PURPOSE = b"pageforge-exporter backup manifest\0"
"""Prefix of every authenticated text, so that a code of this key is valid for nothing else."""
_MAC = re.compile(r"hmac-sha256 (?P<key>[0-9a-f]{16}) (?P<mac>[0-9a-f]{64})\n?")


class KeyMissingError(BackupsError):
    """There is no key, so it is unknown whether a backup is authentic."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key. Its text is never shown; `id` identifies it."""

    _secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return hashlib.sha256(b"pageforge-exporter backup key\0" + self._secret).hexdigest()[:16]

    def seal(self, text: bytes) -> str:
        """Return the line that authenticates `text`."""
        return f"hmac-sha256 {self.id} {self._mac(text)}\n"

    def check(self, text: bytes, line: str) -> None:
        """Raise BackupsError unless `line` authenticates `text` with this key. The error is a clause."""
        found = _MAC.fullmatch(line)
        if found is None:
            raise BackupsError("its authentication code is malformed")
        if hmac.compare_digest(found["mac"], self._mac(text)):
            return
        if found["key"] != self.id:
            raise BackupsError(
                f"it was made with the key {found['key']}, and this key is {self.id}; give the right one with --key"
            )
        raise BackupsError("its manifest was altered or forged: the authentication code does not match")

    def text(self) -> str:
        """Return the content of a key file."""
        return self._secret.hex() + "\n"

    def _mac(self, text: bytes) -> str:
        return hmac.new(self._secret, _PURPOSE + text, hashlib.sha256).hexdigest()


def key_file(catalog: Catalog) -> Path:
    """Return the path of this environment's key on a host."""
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
            raise BackupsError(f"other users can read or change the key {place}; run: chmod 0400 {place}")
        text = read_regular(place, _MAX_FILE).decode("ascii", "replace").strip()
    except FileNotFoundError:
        raise KeyMissingError(f"there is no backup key {place}") from None
    except OSError as error:
        raise BackupsError(f"the backup key {place} cannot be read: {error.strerror}") from None
    return _key(text, f"{place} is {_NO_KEY}")


def make_key(place: Path) -> tuple[Key, bool]:
    """Return the key in `place`, and True if this call created it, which is safe in parallel. Raises BackupsError."""
    with suppress(KeyMissingError):
        return read_key(place, private=True), False
    made = install_key(Key(secrets.token_bytes(_BYTES)), place)
    return read_key(place, private=True), made


def install_key(key: Key, place: Path) -> bool:
    """Write the key atomically; return False if there is one already. Raises BackupsError."""
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
            f"the backup key {place} cannot be written: {error.strerror}; "
            f"run as a user with write access, or set {FOLDER_VARIABLE}"
        ) from None
    return True


def key_for_reading(place: Path, named: Path | None = None) -> Key:
    """Return the key to read backups with: from the named file, else this host's, else typed by the user.

    Raises:
        KeyMissingError: There is no key, and no terminal to ask on.
        BackupsError: The file or the input is not a key.
    """
    if named == _STANDARD_INPUT:
        return _key(
            sys.stdin.buffer.read(_MAX_FILE).decode("ascii", "replace").strip(),
            f"standard input is {_NO_KEY}",
        )
    if named is not None:
        return read_key(named)
    try:
        return read_key(place, private=True)
    except KeyMissingError:
        if not sys.stdin.isatty():
            raise KeyMissingError(
                f"there is no backup key {place}, so backups cannot be authenticated; "
                "give a copy of it with --key FILE"
            ) from None
    text = getpass.getpass(f"Backup key ({2 * _BYTES} hexadecimal digits; not shown): ")
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
