"""The text of a manifest, which is not trusted: every value must match a list or a pattern, within limits.

An error names the place of the wrong value, such as `subjects[0].files[2].path`, but never repeats the value.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn, cast

from exporter.backups.manifest import (
    FORMAT,
    FORMAT_WITHOUT_CODE,
    ID,
    MAX_MANIFEST,
    Manifest,
    Saved,
    StoredFile,
)
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from exporter.storage.backup_marker import Kind

_MAX_SUBJECTS = 1000
_MAX_FILES = 20_000
"""Maximum for one subject, which has two files per database."""
_MAX_NUMBER = 2**53
_MAX_OBJECT = 255
"""Maximum bytes of a database's name; PostgreSQL allows 63 unless it was built otherwise."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A catalog's name of a project or an environment, and a kind."""
_SUBJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
"""A catalog's name of a store or a volume."""
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}(?:\.[a-z0-9]{1,20}){0,3}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|\+00:00)")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+!_-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FACT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{0,1000}")
_OBJECT = re.compile(r"[^\x00\ud800-\udc7f\udd00-\udfff]{1,255}")
"""Bytes that are not UTF-8 are U+DC80 to U+DCFF here, as in Python's file names."""

FACTS = ("version", "image", "dir", "dbfilename")
"""Facts for people to read; no image, mount or path is taken from them."""
ENCRYPTION = ("", "age", "gpg")
CONTENTS: dict[tuple[str, str], dict[str, bool]] = {
    ("store", "postgresql"): {"globals": False, "database": True, "counts": True},
    ("store", "mysql"): {"accounts": False, "database": True, "counts": True},
    ("store", "mongodb"): {"archive": False, "counts": False, "counts-after": False},
    ("store", "redis"): {"rdb": False, "counts": False},
    ("store", "sqlite"): {"sqlite": False, "counts": False},
    ("volume", ""): {"volume": False, "counts": False},
    ("configuration", ""): {"configuration": False},
}
"""The contents of the files of each kind and engine; True: one file per database."""


def text_of(manifest: Manifest) -> bytes:
    """Return the manifest's JSON. Raises BackupsError if it could not be read back."""
    text = (json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1, ensure_ascii=True) + "\n").encode()
    if len(text) > MAX_MANIFEST:
        raise BackupsError(f"the manifest would be larger than {MAX_MANIFEST} bytes")
    parsed(text)
    return text


def check_saved(saved: Saved) -> None:
    """Raise BackupsError unless a manifest can hold this subject: a name or number of its store may be too large."""
    try:
        _subject(_Object(_loaded(json.dumps(asdict(saved)).encode()), saved.name), FORMAT)
    except _InvalidError as error:
        raise BackupsError(
            f"{saved.name} was not saved: what its store answered does not fit into a manifest ({error.where})"
        ) from None


def format_of(text: bytes) -> int:
    """Return the format of a manifest. Raises BackupsError if it is unknown."""
    fields = _Object(_loaded(text), "")
    return fields.number("format", of=(FORMAT_WITHOUT_CODE, FORMAT))


def parsed(text: bytes) -> Manifest:
    """Parse a manifest. Raises nothing but BackupsError, for any text; the error is a clause."""
    fields = _Object(_loaded(text), "")
    format = fields.number("format", of=(FORMAT_WITHOUT_CODE, FORMAT))  # noqa: A001 - the manifest's word
    manifest = Manifest(
        id=fields.text("id", ID),
        project=fields.text("project", _NAME),
        environment=fields.text("environment", _NAME),
        finished=fields.text("finished", _TIME),
        exporter=fields.text("exporter", _VERSION),
        encryption=fields.one_of("encryption", ENCRYPTION),
        subjects=tuple(_subject(one, format) for one in fields.objects("subjects", _MAX_SUBJECTS)),
    )
    fields.end()
    if len({saved.name for saved in manifest.subjects}) < len(manifest.subjects):
        _refuse("subjects")
    return manifest


def _subject(fields: _Object, format: int) -> Saved:  # noqa: A002 - the manifest's word
    name = fields.text("name", _SUBJECT)
    kind, engine = fields.text("kind", _NAME), fields.text("engine", re.compile("[a-z]{0,20}"))
    contents = CONTENTS.get((kind, engine))
    if contents is None:
        fields.refuse("engine")
    files = tuple(_file(one, name, contents) for one in fields.objects("files", _MAX_FILES))
    found = {(file.content, file.object) for file in files}
    if not files or len(found) < len(files) or len({file.path for file in files}) < len(files):
        fields.refuse("files")
    saved = Saved(
        name=name,
        kind=cast("Kind", kind),
        engine=engine,
        facts=fields.texts("facts", FACTS, _FACT),
        files=files,
        rows=fields.number_or_none("rows") if format != FORMAT_WITHOUT_CODE else None,
    )
    fields.end()
    return saved


def _file(fields: _Object, name: str, contents: dict[str, bool]) -> StoredFile:
    content = fields.one_of("content", tuple(contents))
    file = StoredFile(
        path=fields.text("path", re.compile(f"{re.escape(name)}/{_FILE_NAME.pattern}")),
        content=content,
        object=fields.text("object", _OBJECT if contents[content] else re.compile("")),
        bytes=fields.number("bytes"),
        sha256=fields.text("sha256", _SHA256),
    )
    if len(file.object.encode(errors="surrogateescape")) > _MAX_OBJECT:
        fields.refuse("object")
    fields.end()
    return file


class _Object:
    """A JSON object whose values are checked as they are read; `end` rejects keys that were not read."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            _refuse(where or "the whole")
        self._values: dict[str, Any] = dict(value)
        self._where = f"{where}." if where else ""

    def text(self, key: str, pattern: re.Pattern[str]) -> str:
        value = self._values.pop(key, None)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.refuse(key)
        return value

    def one_of(self, key: str, known: tuple[str, ...]) -> str:
        value = self._values.pop(key, None)
        if not isinstance(value, str) or value not in known:
            self.refuse(key)
        return value

    def number(self, key: str, of: tuple[int, ...] | None = None) -> int:
        value = self._values.pop(key, None)
        if type(value) is not int or (value not in of if of else not 0 <= value < _MAX_NUMBER):
            self.refuse(key)
        return value

    def number_or_none(self, key: str) -> int | None:
        if self._values.get(key, 0) is None:
            return cast("None", self._values.pop(key))
        return self.number(key)

    def texts(self, key: str, known: tuple[str, ...], pattern: re.Pattern[str]) -> dict[str, str]:
        fields = _Object(self._values.pop(key, None), f"{self._where}{key}")
        found = {name: fields.text(name, pattern) for name in known if name in fields._values}
        fields.end()
        return found

    def objects(self, key: str, most: int) -> list[_Object]:
        value = self._values.pop(key, None)
        if not isinstance(value, list) or len(value) > most:
            self.refuse(key)
        return [_Object(one, f"{self._where}{key}[{number}]") for number, one in enumerate(value)]

    def end(self) -> None:
        if self._values:
            _refuse(f"{self._where}: unknown key")

    def refuse(self, key: str) -> NoReturn:
        _refuse(f"{self._where}{key}")


def _loaded(text: bytes) -> object:
    try:
        return json.loads(
            text.decode("ascii"), object_pairs_hook=_without_repetition, parse_constant=_no_number
        )
    except (ValueError, RecursionError):
        _refuse("it is not JSON")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _no_number(_: str) -> NoReturn:
    raise ValueError


class _InvalidError(BackupsError):
    def __init__(self, where: str) -> None:
        super().__init__(f"its manifest is invalid, or of a newer version: {where}")
        self.where = where


def _refuse(where: str) -> NoReturn:
    raise _InvalidError(where)
