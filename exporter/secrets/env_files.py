"""Env files of containers: variables that hold a secret's value, in the secrets folder, with mode 0400.

Each is made of the secrets' files and made again whenever one of those may have changed. Compose reads it when it makes
the container, so its owner is the folder's: who runs Compose.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.host.failures import OperationError
from exporter.outputs.compose.secrets import env_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.secrets.folder import SecretsFolder

MODE = 0o400
_BEFORE_QUOTE = re.compile(r'\\(?:"|\Z)')
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r"})


def quoted(name: str, value: bytes) -> str:
    """Return the value as both versions of Compose read it from an env file; a last line break is not part of it.

    Version 1 fills in `${NAME}` in every value, keeps the backslash of `\\$`, and takes `\\\\"` for an escaped quote;
    version 2 fills in `$NAME` between double quotes, and has no escapes between single ones.

    Raises:
        OperationError: no way of writing it means the same to both. The sentence holds `name`, never the value.
    """
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise OperationError(f"{name} is given as a variable, and its value is not UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if "\0" in text:
        raise OperationError(
            f"{name} is given as a variable, and its value holds a NUL, which no variable can"
        )
    if "$" not in text and not _BEFORE_QUOTE.search(text):
        return f'"{text.translate(_ESCAPES)}"'
    if "${" not in text and not {"'", "\\", "\n", "\r"} & set(text):
        return f"'{text}'"
    raise OperationError(
        f"{name} is given as a variable, and versions of Compose would read its value differently: it holds a $ with a "
        "brace, quote, backslash or line break, or a backslash before a quote or at its end; give it another value"
    )


@dataclass(frozen=True, slots=True)
class EnvFiles:
    """The env files of an environment. `wanted`: for each container its variables, and the secret of each."""

    folder: SecretsFolder
    wanted: Mapping[str, Mapping[str, str]]

    def make(self) -> Iterator[str]:
        """Make each file whose secrets are all there; one of a container that is gone stays for a rollback.

        Call it with the folder's lock held. It yields what could not be made, and why.
        """
        for container, variables in self.wanted.items():
            if not self._complete(variables):
                continue
            try:
                text = self._text(variables)
                if self._wrong(container, text):
                    self.folder.write_closed(env_file(container), text)
            except OperationError as error:
                yield f"the env file of {container} is not made: {error.sentence}"

    def findings(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with each env file; one whose secrets are not all there cannot be right."""
        for container, variables in self.wanted.items():
            if not self._complete(variables):
                continue
            try:
                if wrong := self._wrong(container, self._text(variables)):
                    yield env_file(container), f"{wrong}; make it with: exporter secrets create"
            except OperationError as error:
                yield env_file(container), error.sentence
        wanted = {env_file(container) for container in self.wanted}
        for path in sorted(self.folder.path.glob(f"{env_file('')}*")):
            if path.name not in wanted:
                yield path.name, "no container of the catalog needs it; remove it once no rollback does"

    def _complete(self, variables: Mapping[str, str]) -> bool:
        return all(self.folder.status(name) is not None for name in variables.values())

    def _text(self, variables: Mapping[str, str]) -> bytes:
        values = {name: self.folder.read(self.folder.file(name)) for name in set(variables.values())}
        lines = [f"{variable}={quoted(name, values[name])}\n" for variable, name in variables.items()]
        return "".join(lines).encode()

    def _wrong(self, container: str, text: bytes) -> str:
        """Return what is wrong with a container's file; empty if nothing is."""
        found = self.folder.status(env_file(container))
        if found is None:
            return "missing"
        if not stat.S_ISREG(found.st_mode):
            return "not a regular file"
        if (mode := stat.S_IMODE(found.st_mode)) != MODE:
            return f"mode {mode:04o}, not {MODE:04o}"
        same = found.st_size == len(text) and (
            self.folder.read(self.folder.file(env_file(container)), len(text)) == text
        )
        return "" if same else "not what its secrets are now"
