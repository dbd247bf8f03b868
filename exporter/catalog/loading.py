"""Entry points: load a file as a Catalog or a Plan, or report every mistake of the file at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from exporter.catalog.planning.places import compose_project
from exporter.catalog.planning.planner import build_plan
from exporter.catalog.reading.checks import check
from exporter.catalog.reading.environments import commented, locate, misnamed, overlaid
from exporter.catalog.reading.host_ports import check_ports
from exporter.catalog.reading.problems import CatalogError, Problem, path_text
from exporter.catalog.reading.source import Source, environment_names, open_source
from exporter.catalog.reading.text_walk import misplaced
from exporter.catalog.reading.validation import Reduced, absence, validate
from exporter.catalog.reading.warnings import warnings
from exporter.catalog.reading.watching import check_observed, check_watched
from exporter.catalog.values.constants import DEFAULT_ENVIRONMENT
from exporter.catalog.values.secret_text import SecretError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from os import PathLike

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.planning.parts import SecretUse
    from exporter.catalog.planning.plan import Plan
    from exporter.catalog.reading.problems import Finding
    from exporter.catalog.reading.yaml_nodes import Node

__all__ = ["CatalogError", "Problem", "load_catalog", "load_plan", "validate_file"]

_MISSED = frozenset(
    {"address", "engine", "health", "host_port", "interval", "path", "port", "probe", "publish", "replicas"}
    | {"service", "timeout", "volumes"}
)
"""Keys whose removal causes other findings: a missing port, a timeout that is too long, a missing volume."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """One environment of a file, checked; `findings` is what is wrong with it."""

    merged: Node
    catalog: Catalog | None
    plan: Plan | None
    uses: list[SecretUse]
    findings: list[Finding]
    left: Reduced


def load_catalog(path: str | PathLike[str], environment: str | None = None) -> Catalog:
    """Return the catalog of one environment; `None` is the first in the file.

    Raises:
        CatalogError: the file cannot be read or is wrong in that environment; the error holds every problem.
    """
    source, name = open_source(path, environment)
    catalog = _checked(source, name).catalog
    assert catalog is not None  # noqa: S101 - without findings there is a catalog
    return catalog


def load_plan(
    path: str | PathLike[str],
    environment: str | None = None,
    *,
    secrets: bool = True,
    of: Collection[str] = (),
) -> Plan:
    """Return the daemon's plan for one environment; `None` is the first in the file.

    With `secrets`, every secret that a probe of this environment refers to is read once, so that an unset variable or
    a missing file is found now; its value is dropped. `of` names the services and stores whose secrets are read;
    default: all.

    Raises:
        CatalogError: the file cannot be read, is wrong in that environment, or a probe's secret cannot be read.
    """
    source, name = open_source(path, environment)
    loaded = _checked(source, name)
    uses = [use for use in loaded.uses if not of or use.path[1] in of] if secrets else []
    problems = _problems(source, name, loaded.merged, _unreadable(uses))
    if problems:
        raise CatalogError(problems)
    assert loaded.plan is not None  # noqa: S101 - without findings there is a plan
    return loaded.plan


class Refused(Protocol):
    """Finder of what the outputs cannot express of a catalog; `partial`: mistakes were removed from it."""

    def __call__(self, catalog: Catalog, *, partial: bool) -> list[Finding]: ...


class Noted(Protocol):
    """Finder of what outputs leave out of a valid catalog."""

    def __call__(self, catalog: Catalog) -> list[Finding]: ...


@dataclass(frozen=True, slots=True)
class Validated:
    """A valid file: the catalog of each environment, in the file's order; and likely mistakes."""

    catalogs: dict[str, Catalog]
    warnings: tuple[Problem, ...]


def validate_file(path: str | PathLike[str], refused: Refused, noted: Noted | None = None) -> Validated:
    """Check the base of the file and every environment, also with `refused`. Values of secrets are not read.

    What `noted` finds is added to the warnings.

    Raises:
        CatalogError: it holds every problem; one that several environments share is in it once.
    """
    source, first = open_source(path, None)
    names: list[str | None] = [None, *environment_names(source.root)]
    found: dict[Problem, list[str | None]] = {problem: [None] for problem in source.duplicate_keys}
    warned: dict[Problem, list[str | None]] = {}
    catalogs: dict[str, Catalog] = {}
    for name in names:
        loaded = _load(source, name)
        findings = loaded.findings
        # If there are environments, nothing is generated from the base alone.
        if loaded.catalog is not None and (name or first is None):
            catalogs[loaded.catalog.environment_name] = loaded.catalog
            refusals = refused(loaded.catalog, partial=bool(findings))
            findings = [*findings, *((loaded.left.written(path), why) for path, why in refusals)]
        for problem in _problems(source, name, loaded.merged, findings):
            found.setdefault(problem, []).append(name)
        if loaded.catalog is not None:
            likely = [*warnings(loaded.catalog, loaded.merged), *(noted(loaded.catalog) if noted else ())]
            for problem in _problems(source, name, loaded.merged, likely):
                warned.setdefault(problem, []).append(name)
    if found:
        raise CatalogError(_in_environment(problem, where) for problem, where in found.items())
    return Validated(catalogs, tuple(sorted(_in_environment(*item) for item in warned.items())))


def _in_environment(problem: Problem, environments: list[str | None]) -> Problem:
    """Add the environments of a problem to its sentence, unless the base has it or its path names one."""
    names = [name for name in environments if name]
    if len(names) < len(environments) or problem.path.startswith("environments."):
        return problem
    words = "environment" if len(names) == 1 else "environments"
    return replace(problem, sentence=f"{problem.sentence} ({words} {', '.join(names)})")


def _checked(source: Source, environment: str | None) -> _Loaded:
    loaded = _load(source, environment)
    problems = [*source.duplicate_keys, *_problems(source, environment, loaded.merged, loaded.findings)]
    if problems:
        raise CatalogError(problems)
    return loaded


def _load(source: Source, environment: str | None) -> _Loaded:
    merged = overlaid(source.root, environment)
    catalog, findings, left = validate(merged)
    unknown = [*misnamed(source.root, environment), *commented(source.root, environment)]
    names = {path for path, _ in unknown}
    findings = [*unknown, *(finding for finding in findings if finding[0] not in names)]
    if catalog is None:
        return _Loaded(merged, None, None, [], findings, left)
    catalog.in_place(environment or DEFAULT_ENVIRONMENT, source.folder)
    plan, uses, plan_findings = build_plan(catalog)
    findings += [(left.written(path), sentence) for path, sentence in check(catalog, merged)]
    findings += misplaced(catalog, merged, left)
    incomplete = names | {path[:2] for path in left.removed}
    findings += [
        (path, absence(sentence, merged.at(path)[0]))
        for path, sentence in check_watched(catalog)
        if path[:2] not in incomplete
    ]
    findings += check_observed(catalog, compose_project(catalog))
    # These may miss only what was removed from their service or section.
    touched = {path[:2] for path in left.removed if path[-1] in _MISSED or len(path) < 2}
    findings += [
        (left.written(path), sentence)
        for path, sentence in (*check_ports(catalog), *plan_findings)
        if path[:2] not in touched
    ]
    return _Loaded(merged, catalog, plan, uses, findings, left)


def _unreadable(uses: Iterable[SecretUse]) -> Iterable[Finding]:
    for use in uses:
        try:
            use.text.read()
        except SecretError as error:
            yield use.path, str(error)


def _problems(
    source: Source, environment: str | None, merged: Node, findings: Iterable[Finding]
) -> list[Problem]:
    problems = []
    for path, sentence in findings:
        written, line, column = locate(source.root, merged, environment, path)
        problems.append(Problem(source.name, line, column, path_text(written), sentence))
    return problems
