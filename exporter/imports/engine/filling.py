"""Compose files that an engine's labels name, with what only the engine knows: real names, ports, states."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.catalog.values.words import quoted
from exporter.imports.engine.reading import SEEN
from exporter.imports.project import Note, Project, SourceError, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from exporter.imports.engine.reading import EngineProject

_PORTS = ("ports", "expose")
_SHARED = ("networks", "volumes")


def with_files(found: EngineProject, read: Callable[[Sequence[Path], str], Project]) -> Project:
    """Return the project by its Compose files, filled in from the engine; without files, as the engine runs it.

    `read` gets the files and the project's name. A file that cannot be read is a note.
    """
    engine = found.project
    if not found.files:
        return engine
    listed = ", ".join(map(str, found.files))
    if not all(file.is_file() for file in found.files):
        return _noted(engine, f"its Compose files ({listed}) are not here, so it is described as it runs")
    try:
        files = read(found.files, engine.name)
    except SourceError as error:
        reason = str(error).partition("\n")[0]
        return _noted(engine, f"its Compose files cannot be used, so it is described as it runs: {reason}")
    return filled(files, engine)


def filled(files: Project, engine: Project) -> Project:
    """Return the project of the files with what only the engine knows. What the files say stays."""
    tree = dict(_members(files.tree))
    running = _members(engine.tree.child("services"))
    written = _members(files.tree.child("services"))
    services = {name: _service(value, running.get(name)) for name, value in written.items()}
    notes = [*files.notes]
    known = {value.place.source for name, value in running.items() if name in written}
    for name, value in running.items():
        if name not in written:
            services[name] = value
            sentence = f"{quoted(name)} runs and is in none of the Compose files; it is described as it runs"
            notes.append(Note(sentence, ("services", name), value.place))
    # Notes on how a container was made do not apply where its file is at hand.
    notes += [note for note in engine.notes if note.place is None or note.place.source not in known]
    tree["services"] = Value(services, files.place(("services",)))
    for key in _SHARED:
        merged = _shared(files.tree.child(key), engine.tree.child(key))
        if merged is not None:
            tree[key] = merged
    sources = (*files.sources, *engine.sources)
    return replace(files, sources=sources, tree=Value(tree, files.tree.place), notes=tuple(notes))


def _service(written: Value, running: Value | None) -> Value:
    keys, seen = _members(written), _members(running)
    added = {SEEN: seen[SEEN]} if SEEN in seen else {}
    if "expose" in seen and not any(key in keys for key in _PORTS):
        added["expose"] = seen["expose"]
    return Value({**keys, **added}, written.place)


def _shared(written: Value | None, running: Value | None) -> Value | None:
    """Return networks or volumes with their real names."""
    if running is None:
        return written
    merged = _members(written)
    named = {real.content for own in merged.values() if (real := own.child("name")) is not None}
    for name, value in _members(running).items():
        real = value.child("name")
        own = merged.get(name)
        if own is None:
            merged |= {} if real is not None and real.content in named else {name: value}
        elif real is not None and own.child("name") is None:
            merged[name] = Value({**_members(own), "name": real}, own.place)
    return Value(merged, (written or running).place)


def _members(value: Value | None) -> dict[str, Value]:
    return dict(value.content) if value is not None and isinstance(value.content, dict) else {}


def _noted(project: Project, sentence: str) -> Project:
    return replace(project, notes=(*project.notes, Note(sentence)))
