"""Loading of the catalog in a child process, which returns the plan.

Reading thousands of services takes seconds of Python and tens of megabytes. In the daemon's process that would delay
probes at every reload, and the memory would never be freed. So a child process reads, checks and compiles the catalog,
and returns the plan, which is small and simple.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.catalog.planning.plan import Plan

LOAD_SECONDS = 60.0
"""A catalog of the maximum size loads in a fraction of this."""

_children: set[int] = set()
"""Ids of processes that are reading a catalog."""


class LoadError(Exception):
    """The catalog cannot be used. One line per problem."""


async def load_plan_apart(path: Path, environment: str | None, *, secrets: bool = True) -> Plan:
    """Return the plan of the catalog at `path`. All its probes compile; with `secrets`, all their secrets are readable.

    Raises:
        LoadError: the catalog cannot be used.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "exporter.daemon.loading",
        "with-secrets" if secrets else "without-secrets",
        str(path),
        *([environment] if environment is not None else []),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the daemon, which ends the child
    )
    _children.add(child.pid)
    try:
        async with asyncio.timeout(LOAD_SECONDS):
            output, _ = await child.communicate()
    except TimeoutError:
        raise LoadError(f"{path}: reading it took more than {LOAD_SECONDS:.0f} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        _children.discard(child.pid)
    if child.returncode != 0:
        raise LoadError(f"{path}: the process that reads it failed with status {child.returncode}")
    answer: Plan | str = pickle.loads(output)  # noqa: S301 - written by our own child process, through our pipe
    if isinstance(answer, str):
        raise LoadError(answer)
    return answer


def kill_children() -> None:
    """Kill the processes that are reading a catalog, for a daemon that must stop at once."""
    for pid in _children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def read(path: Path, environment: str | None, *, secrets: bool) -> Plan | str:
    """Return the plan, or the problems, one per line."""
    from exporter.catalog.loading import load_plan
    from exporter.catalog.reading.problems import CatalogError
    from exporter.containers.endpoint import EndpointError, resolve_endpoint
    from exporter.probes.compile import CompileError, Shared, compile_target

    try:
        plan = load_plan(path, environment, secrets=secrets)
    except CatalogError as error:
        return str(error)
    shared = Shared()
    problems = []
    for target in plan.targets:
        try:
            compile_target(target, shared)
        except CompileError as error:
            problems.append(f"{path}: {error}")
    containers = plan.containers
    if containers.source != "off":
        try:
            containers = replace(containers, endpoint=resolve_endpoint(containers.docker))
        except EndpointError as error:
            problems.append(f"{path}: exporter.containers.docker: {error}")
    return "\n".join(problems) or replace(plan, containers=containers)


def main() -> None:
    """Run the child process: write the plan, or the problems, to standard output as a pickle."""
    secrets, path, *environment = sys.argv[1:]
    answer = read(Path(path), environment[0] if environment else None, secrets=secrets == "with-secrets")
    with suppress(BrokenPipeError):  # the daemon has ended meanwhile
        pickle.dump(answer, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
