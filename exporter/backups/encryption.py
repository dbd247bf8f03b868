"""Encryption with age or gpg: files are encrypted while they are written, so no plain copy ever reaches the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from exporter.backups.subjects import BackupsError
from exporter.catalog.planning.secret_paths import absolute
from exporter.host.shown import shown_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.backups.engines.shape import Readable, Writable
    from exporter.catalog.catalog import Catalog

_SECONDS = 60.0
"""Time for a program to exit after the end of its input."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """The encryption of a backup. `tool`: age, gpg or empty. `recipient`: public key file; `identity`: private one.

    `keyring`: a folder for gpg's state, used by this run only.
    """

    tool: str = ""
    recipient: str = ""
    identity: str = ""
    keyring: Path | None = None

    @classmethod
    def of(cls, catalog: Catalog, keyring: Path | None = None) -> Encryption:
        """Return the encryption of new backups, from the catalog."""
        encrypt = catalog.backup.encrypt
        if encrypt is None:
            return cls()
        return cls(tool=encrypt.tool, recipient=absolute(catalog, encrypt.recipient_file), keyring=keyring)

    def check(self) -> None:
        """Raise BackupsError if nothing can be encrypted here."""
        if not self.tool:
            return
        if shutil.which(self.tool) is None:
            raise BackupsError(f"backups are encrypted with {self.tool}, which is not installed")
        if not os.access(self.recipient, os.R_OK):
            raise BackupsError(f"backups cannot be encrypted: the public key {self.recipient} cannot be read")

    def check_identity(self) -> None:
        """Raise BackupsError if there is no private key to decrypt with. Imports it into gpg's keyring."""
        if not self.tool:
            return
        if shutil.which(self.tool) is None:
            raise BackupsError(f"this backup is encrypted with {self.tool}, which is not installed")
        if not self.identity or not os.access(self.identity, os.R_OK):
            raise BackupsError(
                f"this backup is encrypted with {self.tool}; set BACKUP_IDENTITY_FILE to the file of the private key"
            )
        if self.tool == "gpg":
            done = subprocess.run(  # noqa: S603 - argv
                [*self._gpg(), "--import", "--", self.identity],
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
            if done.returncode:
                raise BackupsError(f"{self.identity} is not a private key that gpg can import")

    @contextmanager
    def writing(self, path: Path) -> Iterator[Writable]:
        """Open a new file that only its owner can read, and encrypt what is written. Removes it on an error."""
        try:
            with open(path, "xb", buffering=0, opener=_private) as file:
                if not self.tool:
                    yield _Plain(file)
                else:
                    with self._program(self._encrypt(), stdin=subprocess.PIPE, stdout=file) as process:
                        yield _Fed(process, self.tool)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    @contextmanager
    def reading(self, path: Path) -> Iterator[Readable]:
        """Open a file of a backup for decrypted reading. Raises BackupsError if the key does not fit."""
        with path.open("rb") as file:
            if not self.tool:
                yield file
            else:
                with self._program(self._decrypt(), stdin=file, stdout=subprocess.PIPE) as process:
                    yield _given(process.stdout)

    @contextmanager
    def _program(
        self, argv: list[str], *, stdin: IO[bytes] | int, stdout: IO[bytes] | int
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run the tool; kill it if the block ends with an error."""
        with subprocess.Popen(  # noqa: S603 - argv
            argv, bufsize=0, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE
        ) as process:
            try:
                yield process
                if process.stdin:
                    process.stdin.close()
                elif _given(process.stdout).read(1):
                    return  # the caller wanted only a part
                said = _given(process.stderr).read()
                status = process.wait(_SECONDS)
            except _ToolEndedError:
                said, status = _given(process.stderr).read(), 1
            finally:
                process.kill()
            if status:
                last = shown_lines(said, 1) or ["it gave no error message"]
                raise BackupsError(f"{self.tool} failed: {last[0]}")

    def _encrypt(self) -> list[str]:
        if self.tool == "age":
            return ["age", "--encrypt", "-R", self.recipient]
        options = ["--trust-model", "always", "--compress-algo", "none", "--recipient-file", self.recipient]
        return [*self._gpg(), *options, "--encrypt"]

    def _decrypt(self) -> list[str]:
        return (
            ["age", "--decrypt", "-i", self.identity] if self.tool == "age" else [*self._gpg(), "--decrypt"]
        )

    def _gpg(self) -> list[str]:
        if self.keyring is None:
            raise BackupsError("gpg has no folder for its keys")
        return ["gpg", "--homedir", str(self.keyring), "--batch", "--no-tty", "--quiet"]


def end_agents(keyring: Path) -> None:
    """Stop the gpg agents that still run for this folder."""
    if keyring.is_dir() and shutil.which("gpgconf"):
        argv = ["gpgconf", "--homedir", str(keyring), "--kill", "all"]
        subprocess.run(argv, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 - argv


class _Plain:
    """An unbuffered file whose write() writes everything."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]


class _Fed:
    """The tool's standard input. If it breaks, that is a backup error, not an error of the bytes' source."""

    def __init__(self, process: subprocess.Popen[bytes], tool: str) -> None:
        self._input = _given(process.stdin)
        self._tool = tool

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[self._input.write(left) :]
        except BrokenPipeError:
            raise _ToolEndedError(self._tool) from None


class _ToolEndedError(BackupsError):
    """The tool exited before it had read everything; its error output says why."""

    def __init__(self, tool: str) -> None:
        super().__init__(f"{tool} exited before the end of the file")


def _given(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise BackupsError("the encryption program was started without a pipe")
    return stream


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
