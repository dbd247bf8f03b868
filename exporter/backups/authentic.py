"""Trust in manifests: only those made with the host's key are accepted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.backups.keys import Key, KeyMissingError, key_for_reading, read_key
from exporter.backups.manifest import (
    CHECKSUM,
    CODE,
    FORMAT_WITHOUT_CODE,
    MANIFEST,
    MAX_MANIFEST,
    MAX_PROOF,
    Manifest,
)
from exporter.backups.manifest_text import format_of, parsed
from exporter.backups.subjects import BackupsError
from exporter.files import read_regular

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Trust:
    """The rule for which manifests are trusted. `without_code`: accept format 1 too, which anybody can have made.

    `key` is None if only backups of format 1 can be read.
    """

    key: Key | None
    without_code: bool = False

    def check(self, text: bytes, proof: bytes) -> None:
        """Raise BackupsError, worded as a clause, unless the manifest `text` can be trusted."""
        if format_of(text) != FORMAT_WITHOUT_CODE:
            if self.key is None:
                raise BackupsError("the backup key is missing; give a copy of it with --key FILE")
            self.key.check(text, proof.decode("ascii", "replace"))
            return
        if hashlib.sha256(text).hexdigest().encode() != proof.strip():
            raise BackupsError("its manifest was altered: the checksum does not match")
        if not self.without_code:
            raise BackupsError(
                "it was made before backups had an authentication code, so anybody with write access to its folder "
                "can have forged it; if you trust its origin, add --accept-unauthenticated"
            )


def local_trust(place: Path) -> Trust:
    """Return the trust rule for this host's own folder. Retention and the check for room need no authenticity."""
    try:
        return Trust(read_key(place, private=True), without_code=True)
    except KeyMissingError:
        return Trust(None, without_code=True)


def trust_of(place: Path, named: Path | None, *, without_code: bool) -> Trust:
    """Return the trust rule for a backup to restore. `named`: a copy of the key. Raises BackupsError."""
    try:
        return Trust(key_for_reading(place, named), without_code)
    except KeyMissingError:
        if named is None and without_code:
            return Trust(None, without_code=True)
        raise


def read_manifest(folder: Path, trust: Trust) -> Manifest:
    """Return the manifest of a backup if it is authentic and valid. Raises BackupsError."""
    text, name = _read(folder, MANIFEST, MAX_MANIFEST), proof_of(folder)
    proof = _read(folder, name, MAX_PROOF)
    try:
        trust.check(text, proof)
        return parsed(text)
    except BackupsError as error:
        raise BackupsError(f"{folder}: {error}") from None


def proof_of(folder: Path) -> str:
    """Return the name of the file that authenticates a manifest of this format. Raises BackupsError."""
    text = _read(folder, MANIFEST, MAX_MANIFEST)
    try:
        return CHECKSUM if format_of(text) == FORMAT_WITHOUT_CODE else CODE
    except BackupsError as error:
        raise BackupsError(f"{folder}: {error}") from None


def _read(folder: Path, name: str, limit: int) -> bytes:
    try:
        text = read_regular(folder / name, limit)
    except FileNotFoundError:
        raise BackupsError(f"{folder} is not a complete backup: it has no {name}") from None
    except OSError as error:
        raise BackupsError(f"{folder}: its {name} cannot be read: {error.strerror}") from None
    if len(text) > limit:
        raise BackupsError(f"{folder}: its {name} is larger than {limit} bytes")
    return text
