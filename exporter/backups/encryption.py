"""age and gpg: every file of a backup passes through one of them on its way, so nothing lies unencrypted next to it."""

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
"""For the end of a program whose input has ended."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """`tool`: age, gpg, or nothing. `recipient`: file of the public key; `identity`: of the private one.

    `keyring`: a folder of this run alone for gpg, which keeps state.
    """

    tool: str = ""
    recipient: str = ""
    identity: str = ""
    keyring: Path | None = None

    @classmethod
    def of(cls, catalog: Catalog, keyring: Path | None = None) -> Encryption:
        """Return what the catalog says of new backups."""
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
            raise BackupsError(f"the public key {self.recipient} cannot be read, so nothing can be encrypted")

    def check_identity(self) -> None:
        """Raise BackupsError if there is no private key to decrypt with; gpg gets it into its keyring."""
        if not self.tool:
            return
        if shutil.which(self.tool) is None:
            raise BackupsError(f"this backup is encrypted with {self.tool}, which is not installed")
        if not self.identity or not os.access(self.identity, os.R_OK):
            raise BackupsError(
                f"this backup is encrypted with {self.tool}; let BACKUP_IDENTITY_FILE name the file of the private key"
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
        """Open a new file that only its owner can read; what is written is encrypted. Removes it on an error."""
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
        """Open a file of a backup; what is read is decrypted. Raises BackupsError if the key does not fit."""
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
        """Run the tool; whatever was not read or written when the block ends by an error ends it."""
        with subprocess.Popen(  # noqa: S603 - argv
            argv, bufsize=0, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE
        ) as process:
            try:
                yield process
                if process.stdin:
                    process.stdin.close()
                elif _given(process.stdout).read(1):
                    return  # read in part, as asked for
                said = _given(process.stderr).read()
                status = process.wait(_SECONDS)
            except _ToolEndedError:
                said, status = _given(process.stderr).read(), 1
            finally:
                process.kill()
            if status:
                last = shown_lines(said, 1) or ["it ended without a word"]
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
    """End what gpg has left running for this folder."""
    if keyring.is_dir() and shutil.which("gpgconf"):
        argv = ["gpgconf", "--homedir", str(keyring), "--kill", "all"]
        subprocess.run(argv, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 - argv


class _Plain:
    """A file that takes all of what it gets."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]


class _Fed:
    """The tool's standard input. Its end is an error of the backup, not of whatever connection the bytes come from."""

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
    """The tool has ended before it had read all; why, its own words say."""

    def __init__(self, tool: str) -> None:
        super().__init__(f"{tool} ended before the file did")


def _given(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise BackupsError("a program has no such stream")
    return stream


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
