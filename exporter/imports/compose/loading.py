"""Reads a list of Compose files into one tree: each file with what it includes and extends, laid on those before it.

The order is Compose's. A file first takes in what it includes, then each of its services what it extends, and only then
is it merged with the files before it: so `extends` never sees an override.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.catalog.values.words import quoted, suggestion
from exporter.imports.compose.files import dot_env
from exporter.imports.compose.merging import Merger, settled
from exporter.imports.compose.references import local_file
from exporter.imports.compose.shape import SECTIONS, check_document
from exporter.imports.compose.tree import RESET, read_documents
from exporter.imports.project import Place, Source, Value, mistake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.imports.project import ModelPath, Note

MAX_FILES = 200
MAX_VALUES = 2_000_000
"""Of all files together, with aliases expanded."""
MAX_CHAIN = 50
"""Services that extend one another, and files that include one another."""


@dataclass(slots=True)
class _Scope:
    """Services that may extend each other: those of one file."""

    source: Source
    services: dict[str, Value]
    bases: dict[str, Value] = field(default_factory=dict)
    """Those that others extend, without what they reset themselves."""


class Loader:
    """Reads files of one project, within limits for all of them together."""

    def __init__(self, notes: list[Note]) -> None:
        self.sources: list[Source] = []
        self.names: list[Value] = []
        """The key `name` of the main files."""
        self._notes = notes
        self._merger = Merger()
        self._values = 0
        self._scopes: dict[tuple[str, frozenset[str]], _Scope] = {}

    def load(self, files: Sequence[Path], origin: Source, including: tuple[Path, ...] = ()) -> Value:
        """Return the tree of files that are merged. `origin`: role, folder and variables; the first file has the role.

        Raises:
            SourceError: a file cannot be read, or does not fit the others.
        """
        tree: Value | None = None
        for index, file in enumerate(files):
            role = "override" if index and origin.role == "main" else origin.role
            source = self._source(file, role, origin.folder, origin.variables)
            for document in self._documents(source):
                if not including and (name := document.child("name")):
                    self.names.append(name)
                whole = self._with_included(document, source, including)
                whole = self._with_extended(whole, source)
                tree = whole if tree is None else self._merger.merge(tree, whole)
        assert tree is not None  # noqa: S101 - there is a first file, and no file is without a document
        return settled(tree, self._notes)

    def _source(self, file: Path, role: str, folder: Path | None, variables: frozenset[str]) -> Source:
        source = Source(os.path.normpath(file), role, file.absolute(), folder or file.parent, variables)
        self.sources.append(source)
        return source

    def _documents(self, source: Source) -> list[Value]:
        documents, values = read_documents(source)
        self._values += values
        if self._values > MAX_VALUES:
            raise mistake(f"this file brings the project to more than {MAX_VALUES} values", Place(source))
        for document in documents:
            check_document(document)
        return documents

    def _with_included(self, document: Value, source: Source, including: tuple[Path, ...]) -> Value:
        include = document.child("include")
        if include is None:
            return document
        whole = _without(document, "include")
        if include.content is None:
            return whole
        if not isinstance(include.content, list):
            raise mistake("must be a list of files", include.place, ("include",))
        assert source.file is not None  # noqa: S101 - every source here is a file
        for index, entry in enumerate(include.content):
            whole = self._laid_on(
                self._included(entry, source, (*including, source.file), ("include", index)), whole
            )
        return whole

    def _included(self, entry: Value, source: Source, including: tuple[Path, ...], path: ModelPath) -> Value:
        folder = source.folder or Path()
        written = entry.child("path") if isinstance(entry.content, dict) else entry
        files = [local_file(value, folder, path, self._notes) for value in _texts(written, entry, path)]
        known = [file for file in files if file is not None]
        if not known or files[0] is None:
            return Value({}, entry.place)
        if _real(files[0]) in map(_real, including):
            names = " → ".join(os.path.normpath(file) for file in (*including, files[0]))
            raise mistake(f"files include each other: {names}", entry.place, path)
        if len(including) > MAX_CHAIN:
            raise mistake(f"includes are nested more than {MAX_CHAIN} deep", entry.place, path)
        self._limit(len(known), entry, path)
        self._exist(known, entry, path)
        inner, variables = known[0].parent, source.variables
        if isinstance(entry.content, dict):
            inner = self._folder(entry, folder, path) or inner
        for env_file in self._env_files(entry, folder, path) or [inner / ".env"]:
            variables |= dot_env(env_file, self._notes).names
        return self.load(known, Source("", "include", None, inner, variables), including)

    def _folder(self, entry: Value, folder: Path, path: ModelPath) -> Path | None:
        written = entry.child("project_directory")
        return local_file(written, folder, (*path, "project_directory"), self._notes) if written else None

    def _env_files(self, entry: Value, folder: Path, path: ModelPath) -> list[Path]:
        written = entry.child("env_file")
        if written is None:
            return []
        inner = (*path, "env_file")
        found = [local_file(value, folder, inner, self._notes) for value in _texts(written, entry, inner)]
        return [file for file in found if file is not None and str(file) != os.devnull]

    def _laid_on(self, included: Value, document: Value) -> Value:
        """Return the document with the resources of what it includes; its own win where both have one."""
        assert isinstance(document.content, dict)  # noqa: S101 - `check_document` has seen it
        content = dict(document.content)
        for section in SECTIONS:
            taken, own = included.child(section), content.get(section)
            if taken is None or not isinstance(taken.content, dict):
                continue
            if own is None or not isinstance(own.content, dict):
                content[section] = Value(dict(taken.content), taken.place, own.tag if own else None)
                continue
            members = dict(own.content)
            for name, value in taken.content.items():
                mine = members.get(name)
                members[name] = self._merger.merge(value, mine, (section, name)) if mine else value
            content[section] = Value(members, own.place, own.tag)
        return Value(content, document.place)

    def _with_extended(self, document: Value, source: Source) -> Value:
        services = document.child("services")
        if services is None or not isinstance(services.content, dict):
            return document
        scope = _Scope(source, dict(services.content))
        for name in services.content:
            self._extended(name, scope, ())
        assert isinstance(document.content, dict)  # noqa: S101 - it has services
        extended = Value(scope.services, services.place, services.tag)
        return Value({**document.content, "services": extended}, document.place)

    def _extended(self, name: str, scope: _Scope, chain: tuple[tuple[Source, str], ...]) -> Value:
        service = scope.services[name]
        extends = service.child("extends")
        if extends is None or extends.tag == RESET or extends.content is None:
            return service
        path = ("services", name, "extends")
        if (scope.source, name) in chain:
            names = " → ".join(inner for _, inner in (*chain, (scope.source, name)))
            raise mistake(f"services extend each other: {names}", extends.place, path)
        if len(chain) >= MAX_CHAIN:
            raise mistake(f"more than {MAX_CHAIN} services extend one another", extends.place, path)
        own = _without(service, "extends")
        found = self._base_scope(extends, scope, path)
        if found:
            base_scope, base_name = found
            base = self._extended(base_name, base_scope, (*chain, (scope.source, name)))
            if base.content is not None and base.tag != RESET:
                if base_name not in base_scope.bases:
                    base_scope.bases[base_name] = settled(base, [])
                own = self._merger.merge(base_scope.bases[base_name], own, ("services", name))
        scope.services[name] = own
        return own

    def _base_scope(self, extends: Value, scope: _Scope, path: ModelPath) -> tuple[_Scope, str] | None:
        """Return the services among which the base is, and its name; None where its file is not read."""
        mapping = isinstance(extends.content, dict)
        service, file = (extends.child("service"), extends.child("file")) if mapping else (extends, None)
        if service is None or not isinstance(service.content, str):
            raise mistake("must name a service", extends.place, path)
        if file is not None and file.content is not None:
            local = local_file(file, scope.source.folder or Path(), (*path, "file"), self._notes)
            if local is None:
                return None
            scope = self._scope_of(local, scope.source.variables, file, path)
        if service.content not in scope.services:
            where = f"in {scope.source.name}; {suggestion(service.content, scope.services)}"
            raise mistake(f"there is no service {quoted(service.content)} {where}", service.place, path)
        return scope, service.content

    def _scope_of(self, file: Path, variables: frozenset[str], written: Value, path: ModelPath) -> _Scope:
        known = self._scopes.get((_real(file), variables))
        if known:
            return known
        self._limit(1, written, path)
        self._exist([file], written, path)
        source = self._source(file, "extends", file.parent, variables)
        tree: Value | None = None
        for document in self._documents(source):
            tree = document if tree is None else self._merger.merge(tree, document)
        services = settled(tree, self._notes).child("services") if tree else None
        content = services.content if services else None
        scope = _Scope(source, dict(content) if isinstance(content, dict) else {})
        self._scopes[_real(file), variables] = scope
        return scope

    def _limit(self, files: int, value: Value, path: ModelPath) -> None:
        if len(self.sources) + files > MAX_FILES:
            raise mistake(f"the project has more than {MAX_FILES} files", value.place, path)

    def _exist(self, files: Sequence[Path], value: Value, path: ModelPath) -> None:
        for file in files:
            if not os.path.exists(file):  # noqa: PTH110 - which raises for a name that is too long
                raise mistake(f"there is no file {quoted(os.path.normpath(file))}", value.place, path)


def _real(file: Path) -> str:
    return os.path.realpath(file)  # not Path.resolve, which raises for links in a circle


def _without(value: Value, key: str) -> Value:
    assert isinstance(value.content, dict)  # noqa: S101 - the caller has found the key in it
    return Value(
        {name: inner for name, inner in value.content.items() if name != key}, value.place, value.tag
    )


def _texts(value: Value | None, entry: Value, path: ModelPath) -> list[Value]:
    """Return one text or a list of them."""
    found = [value] if value and isinstance(value.content, str) else value.content if value else None
    if not isinstance(found, list) or not found or not all(isinstance(item.content, str) for item in found):
        raise mistake("must be the path of a file, or a list of them", (value or entry).place, path)
    return found
