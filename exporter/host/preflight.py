"""The pre-flight checks of a host, all done before an operation changes anything.

`exporter doctor` shows every finding; other operations call `require` with the checks that they need.

    preflight = Preflight(site)
    with preflight.connected() as engine:
        require(preflight.findings(skip={"secrets"}), screen)
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.host.checks import CHECKS, NEEDS_COMPOSE, NEEDS_ENGINE, env_file_problem
from exporter.host.compose import Compose, find_compose
from exporter.host.engine import connected
from exporter.host.failures import EngineLost, OperationError
from exporter.host.findings import Finding, Host, State
from exporter.outputs.compose.secrets import env_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from exporter.host.engine import Engine
    from exporter.host.screen import Screen
    from exporter.host.site import Site


class Preflight:
    """The checks of one environment. Findings are in the order of CHECKS, since later checks need earlier ones."""

    def __init__(self, site: Site) -> None:
        self.host = Host(site)
        self._silence = ""

    @contextmanager
    def connected(self) -> Iterator[Engine | None]:
        """Connect to the environment's engine; yields None if it does not answer, which becomes a finding."""
        with connecting(self.host.site.docker_host) as (engine, silence):
            self.host.engine, self._silence = engine, silence
            yield engine

    def findings(self, *, skip: Collection[str] = ()) -> Iterator[Finding]:
        """Yield the findings of all checks except those in `skip`. Call it inside `connected`."""
        yield from self._engine()
        yield from self._compose()
        for name, check in CHECKS.items():
            if name in skip:
                continue
            missing = "the engine" if name in NEEDS_ENGINE and self.host.facts is None else ""
            if name in NEEDS_COMPOSE and self.host.compose is None:
                missing = "Compose"
            if missing:
                yield Finding(name, State.UNKNOWN, f"not checked, because {missing} does not answer")
                continue
            try:
                yield from check(self.host)
            except OperationError as error:
                yield Finding(name, State.PROBLEM, error.sentence)

    def _engine(self) -> Iterator[Finding]:
        engine = self.host.engine
        if engine is None:
            yield Finding("engine", State.PROBLEM, self._silence)
            return
        try:
            begun = time.time()
            facts = engine.facts()
            self.host.asked = begun, time.time()
        except OperationError as error:
            yield Finding("engine", State.PROBLEM, error.sentence)
            return
        if not engine.is_local:
            sentence = (
                f"the engine at {engine.where} is on another host, without the files that containers mount; "
                "set docker_host to ssh://USER@HOST, or run this command on that host"
            )
            yield Finding("engine's host", State.PROBLEM, sentence)
            return
        self.host.facts = facts
        yield Finding("engine", State.GOOD, f"Docker {facts.version} at {engine.where}")

    def _compose(self) -> Iterator[Finding]:
        site = self.host.site
        # Compose reads no file of an environment where one of its env files is missing.
        problems = [
            *filter(None, (env_file_problem(site, container) for container in env_files(site.catalog)))
        ]
        if problems:
            yield from (Finding("compose", State.PROBLEM, problem) for problem in problems)
            return
        try:
            command = find_compose()
            compose = Compose(
                site, site.folder, command, engine=self.host.engine.where if self.host.engine else None
            )
            compose.config()
        except OperationError as error:
            yield Finding("compose", State.PROBLEM, error.sentence)
            return
        self.host.compose = compose
        yield Finding(
            "compose", State.GOOD, f"{' '.join(command)}, and the files of {site.environment} are valid"
        )


@contextmanager
def connecting(host: str | None) -> Iterator[tuple[Engine | None, str]]:
    """Yield the engine and an empty text if it answers; otherwise None and the reason."""
    connection = connected(host)
    try:
        engine = connection.__enter__()
    except OperationError as error:
        yield None, error.sentence
        return
    try:
        yield engine, ""
    finally:
        connection.__exit__(None, None, None)


def require(findings: Iterable[Finding], screen: Screen) -> None:
    """Show warnings and problems; return if there are no problems.

    Raises:
        OperationError: There are problems; all of them were shown.
        EngineLost: The engine does not answer.
    """
    problems = []
    for finding in findings:
        if finding.state is State.WARNING:
            screen.warn(finding.sentence)
        elif finding.state is State.PROBLEM:
            problems.append(finding)
            screen.say(f"  {finding.sentence}")
    if any(finding.check == "engine" for finding in problems):
        raise EngineLost("the Docker engine cannot be used, see above; nothing was changed")
    if problems:
        count = f"{len(problems)} checks" if len(problems) > 1 else "1 check"
        raise OperationError(f"{count} failed, see above; nothing was changed")
