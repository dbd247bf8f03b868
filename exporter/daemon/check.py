"""A single run of each probe for a user at a terminal, or runs until all are healthy for the deploy script."""

from __future__ import annotations

import asyncio
import json
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import uvloop
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from exporter.daemon.daemon import raise_descriptor_limit
from exporter.probes.base import ProbeResult, Reason
from exporter.probes.compile import CompileError, Shared, compile_target
from exporter.probes.measure import clock
from exporter.probes.net.resolve import close_resolver
from exporter.probes.void import LOOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.catalog.planning.plan import Plan, Target
    from exporter.probes.base import Probe

AT_ONCE = 100
"""Probes at the same time: enough to be quick, too few to slow down a service."""
AGAIN_SECONDS = 1.0
"""Seconds between two rounds of the probes that are not healthy yet."""
VOID_RUNS = 3
"""Maximum runs of one target until one is valid: the command may have been stopped with Ctrl-Z and continued."""


class UnknownServiceError(Exception):
    """A service name that is not in the catalog. One sentence."""


def check_once(
    plan: Plan, names: Sequence[str], *, as_json: bool, deadline_seconds: float | None = None
) -> bool:
    """Probe the targets of the named services (without names: of all services) and print the results.

    Return True if all are healthy. Services without probes do not count. With a deadline, unhealthy targets are probed
    again until they are healthy or this many seconds have passed.

    Raises:
        UnknownServiceError: a name is not in the plan.
    """
    targets = chosen(plan, names)
    results = uvloop.run(_run_all(targets, deadline_seconds, quiet=as_json))
    if as_json:
        print(json.dumps(_as_json(plan, results), indent=2))
    else:
        _print_table(plan, results)
        if deadline_seconds is not None:
            _print_late(results, deadline_seconds)
    return all(result.success for _, result in results)


def chosen(plan: Plan, names: Sequence[str]) -> list[Target]:
    """Return the targets of the named services, or all.

    Raises:
        UnknownServiceError: a name is not in the plan; the message suggests a similar one.
    """
    known = [service.name for service in plan.services]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"the catalog has {', '.join(known)}"
            raise UnknownServiceError(f"no service or store is named {name}; {hint}")
    return [target for target in plan.targets if not names or target.service in names]


async def _run_all(
    targets: Sequence[Target], seconds: float | None, *, quiet: bool
) -> list[tuple[Target, ProbeResult]]:
    """Return the last result of each target. Without `seconds`, each runs once."""
    raise_descriptor_limit()
    shared = Shared()
    turn = asyncio.Semaphore(AT_ONCE)
    probes = [_compiled(target, shared) for target in targets]
    results: dict[int, ProbeResult] = {}
    until = None if seconds is None else clock() + seconds
    bar = Progress(console=Console(stderr=True), transient=True, disable=quiet or not sys.stderr.isatty())

    async def one(index: int) -> None:
        probe, target = probes[index], targets[index]
        if isinstance(probe, ProbeResult):
            results[index] = probe
            return
        async with turn:
            for _ in range(VOID_RUNS):
                end = clock() + target.timeout
                result = await probe.run(end if until is None else min(end, max(until, clock())))
                if result.void is None:
                    break
        # A run that was cut short by the deadline is less meaningful than the complete one before it.
        if result.success or index not in results or until is None or end <= until:
            results[index] = result
        if until is None or result.success:
            bar.advance(task)

    LOOP.start()
    with bar:
        what = "probing" if until is None else f"waiting up to {seconds:g} s for all to be healthy"
        task = bar.add_task(what, total=len(targets))
        try:
            while left := [i for i in range(len(targets)) if i not in results or not results[i].success]:
                await asyncio.gather(*map(one, left))
                if until is None or clock() + AGAIN_SECONDS >= until:
                    break
                await asyncio.sleep(AGAIN_SECONDS)
            return [(target, results[index]) for index, target in enumerate(targets)]
        finally:
            await close_resolver()
            LOOP.stop()


def _compiled(target: Target, shared: Shared) -> Probe | ProbeResult:
    """Return the probe, or a failed result if it does not compile."""
    try:
        return compile_target(target, shared)
    except CompileError as error:
        return ProbeResult(False, Reason.INTERNAL, 0.0, detail=str(error))


def _as_json(plan: Plan, results: Sequence[tuple[Target, ProbeResult]]) -> dict[str, Any]:
    return {
        "project": plan.project,
        "environment": plan.environment,
        "healthy": all(result.success for _, result in results),
        "probes": [
            {
                "service": target.service,
                "probe": target.probe,
                "target": target.target,
                "success": result.success,
                "reason": str(result.reason),
                "detail": result.detail,
                "duration_seconds": result.duration_seconds,
                "phases": dict(result.phases),
                "facts": dict(result.facts),
            }
            for target, result in results
        ],
    }


def _print_table(plan: Plan, results: Sequence[tuple[Target, ProbeResult]]) -> None:
    console = Console()
    table = Table(title=f"{escape(plan.project)}, {escape(plan.environment)}", title_justify="left")
    for heading in ("Service", "Probe", "State", "Time", "Reason"):
        table.add_column(heading, justify="right" if heading == "Time" else "left", overflow="fold")
    for target, result in results:
        state = "[green]up[/]" if result.success else "[red]down[/]" if result.void is None else "unknown"
        why = "" if result.success else f"{result.reason}: {result.detail}"
        time = f"{result.duration_seconds * 1000:.1f} ms"
        table.add_row(escape(target.service), escape(target.probe), state, time, escape(why))
    console.print(table)
    up = sum(result.success for _, result in results)
    unknown = sum(result.void is not None for _, result in results)
    console.print(f"{up} up, {len(results) - up - unknown} down{f', {unknown} unknown' if unknown else ''}")


def _print_late(results: Sequence[tuple[Target, ProbeResult]], seconds: float) -> None:
    """Print the services that are not healthy, in one line that the deploy script parses."""
    late = dict.fromkeys(target.service for target, result in results if not result.success)
    if late:
        print(f"not healthy within {seconds:g} s: {', '.join(late)}")
