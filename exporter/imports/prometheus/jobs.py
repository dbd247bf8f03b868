"""Jobs of prometheus.yml and their targets, after relabelling: what Prometheus scrapes, and how."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.catalog.values.words import quoted
from exporter.imports.project import Note, mistake
from exporter.imports.prometheus.config import (
    items,
    members,
    read_config,
    read_target_groups,
    seconds,
    text,
    texts,
)
from exporter.imports.prometheus.relabel import (
    ACTIONS,
    MAX_LABELS,
    MAX_TEXT,
    Labels,
    Relabelling,
    Rule,
    TooLargeError,
)
from exporter.patterns import PatternError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.imports.project import Place, Source, Value

MAX_TARGETS = 10_000
MAX_FILES = 200
"""Of one pattern."""
MAX_READ = 1000
"""Files of targets, and of further jobs, in all."""
MAX_APPLIED = 1_000_000
"""Rules that are applied to targets, in all."""
INTERVAL, TIMEOUT = 60.0, 10.0
"""Prometheus's own defaults."""

_WILD_FOLDER = re.compile(r"[*?\[].*/")
_STAYS = frozenset(
    {"rule_files", "alerting", "remote_write", "remote_read", "storage", "tracing", "otlp", "runtime"}
)


@dataclass(frozen=True, slots=True)
class Times:
    """Interval and timeout of scrapes, in seconds."""

    interval: float
    timeout: float


@dataclass(frozen=True, slots=True)
class Asked:
    """One target of a job. `labels`: those after relabelling; `written`: its address before."""

    job: Value
    name: str
    labels: Labels
    written: str
    times: Times
    place: Place


class Jobs:
    """The jobs of a prometheus.yml and of the files that it names.

    Raises:
        SourceError: one of them cannot be used.
    """

    def __init__(self, config: Value) -> None:
        self.notes: list[Note] = []
        self.sources: list[Source] = [config.place.source]
        self.asked: list[Asked] = []
        self._read = self._applied = 0
        shared = config.child("global")
        self.times = _times(shared, Times(INTERVAL, TIMEOUT))
        for key in members(config).keys() & _STAYS:
            place = config.content[key].place if isinstance(config.content, dict) else config.place
            self.notes.append(
                Note("stays with your Prometheus; the catalog generates its own", (key,), place)
            )
        for job in self._jobs(config):
            self._add(job)

    def _jobs(self, config: Value) -> Iterator[Value]:
        yield from items(config.child("scrape_configs"))
        for pattern in items(config.child("scrape_config_files")):
            for path in self._files(pattern):
                more = read_config(path, "include")
                self.sources.append(more.place.source)
                yield from items(more.child("scrape_configs"))

    def _add(self, job: Value) -> None:
        name = text(job.child("job_name"))
        if not name:
            raise mistake("has no job_name", job.place)
        relabelling = _relabelling(job)
        times = _times(job, self.times)
        base = {
            "job": name,
            "__scheme__": text(job.child("scheme"), "http"),
            "__metrics_path__": text(job.child("metrics_path"), "/metrics"),
        }
        for key, value in members(job.child("params")).items():
            if texts(value):
                base[f"__param_{key}"] = texts(value)[0]
        for place, address, labels in self._targets(job, name):
            self._applied += len(relabelling)
            if self._applied > MAX_APPLIED:
                raise mistake(f"rules of relabelling apply more than {MAX_APPLIED} times", place)
            try:
                found = relabelling.apply({**base, "__address__": address, **labels})
            except TooLargeError:
                limits = f"{MAX_LABELS} labels, or one over {MAX_TEXT} characters"
                raise mistake(f"relabelling gives this target more than {limits}", place) from None
            if found is None or not found.get("__address__"):
                continue
            if len(self.asked) >= MAX_TARGETS:
                raise mistake(f"there are more than {MAX_TARGETS} targets", place)
            self.asked.append(Asked(job, name, found, address, times, place))

    def _targets(self, job: Value, name: str) -> Iterator[tuple[Place, str, Labels]]:
        for group in items(job.child("static_configs")):
            yield from _group(group)
        for config in items(job.child("file_sd_configs")):
            for pattern in items(config.child("files")):
                for path in self._files(pattern):
                    groups = read_target_groups(path)
                    if groups:
                        self.sources.append(groups[0].place.source)
                    for group in groups:
                        yield from _group(group)
        for key, value in members(job).items():
            if key.endswith("_sd_configs") and key != "file_sd_configs":
                sentence = (
                    f"targets of {quoted(name)} that come from there are not in a file; add them yourself"
                )
                self.notes.append(Note(sentence, (key,), value.place))

    def _files(self, pattern: Value) -> list[Path]:
        """Return the files that a pattern names, from the folder of the file that it is in."""
        folder = pattern.place.source.folder or Path()
        written = text(pattern)
        if "\0" in written or _WILD_FOLDER.search(written):
            raise mistake(
                f"{quoted(written)} is no path of files; only its last part may hold *, ? and [",
                pattern.place,
            )
        found = sorted(glob.glob(written, root_dir=folder))  # noqa: PTH207 - the pattern may be absolute
        if not found:
            sentence = f"no file matches {quoted(text(pattern))}; what it names is missing"
            self.notes.append(Note(sentence, place=pattern.place))
        if len(found) > MAX_FILES:
            raise mistake(f"matches more than {MAX_FILES} files", pattern.place)
        self._read += len(found)
        if self._read > MAX_READ:
            raise mistake(f"brings the files that are read to more than {MAX_READ}", pattern.place)
        return [folder / name for name in found]


def _group(group: Value) -> Iterator[tuple[Place, str, Labels]]:
    labels = {name: text(value) for name, value in members(group.child("labels")).items()}
    for target in items(group.child("targets")):
        if text(target):
            yield target.place, text(target), labels


def _times(section: Value | None, default: Times) -> Times:
    if section is None:
        return default
    interval = seconds(section.child("scrape_interval"), default.interval)
    timeout = seconds(section.child("scrape_timeout"), min(default.timeout, interval))
    return Times(interval, min(timeout, interval))


def _relabelling(job: Value) -> Relabelling:
    rules = []
    for rule in items(job.child("relabel_configs")):
        action = text(rule.child("action"), "replace").lower()
        if action not in ACTIONS:
            raise mistake(f"the action {quoted(action)} of a relabelling rule is not known", rule.place)
        modulus = text(rule.child("modulus"), "0")
        made = Rule(
            action,
            tuple(texts(rule.child("source_labels"))),
            text(rule.child("separator"), ";"),
            text(rule.child("regex"), "(.*)"),
            text(rule.child("target_label")),
            text(rule.child("replacement"), "$1"),
            int(modulus) if modulus.isascii() and modulus.isdecimal() and len(modulus) < 20 else 0,
        )
        try:
            Relabelling([made])
        except PatternError as error:
            raise mistake(
                f"{quoted(made.regex)} is not a regular expression (RE2): {error}", rule.place
            ) from None
        rules.append(made)
    return Relabelling(rules)
