"""Verification of a release: all containers are healthy, then the catalog's probes succeed, within its deadline."""

from __future__ import annotations

import json
import math
import sys
import time
from typing import TYPE_CHECKING, Any

import yaml

from exporter.host.shown import shown
from exporter.host.tools import run
from exporter.releases.failing import UnhealthyError
from exporter.releases.mounted import CATALOG
from exporter.releases.putting_on import FILES, left_out
from exporter.releases.waiting import wait_healthy

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from exporter.host.tools import Done
    from exporter.releases.context import Context

SPARE_SECONDS = 60.0
"""Extra time for the start of the probes' container."""


def verify(context: Context, folder: Path, services: Collection[str] | None, only: str = "") -> None:
    """Wait until `services` (None: all in the files of `folder`) are running and healthy.

    Raises:
        UnhealthyError: Something is not healthy by the catalog's deadline, or the probes cannot be run.
    """
    end = time.monotonic() + context.site.verify_seconds
    wanted = {
        name: count
        for name, count in context.files(folder).replicas.items()
        if (services is None or name in services)
        and (not only or name == only)
        and not left_out(context, name, only)
    }
    looked_at = (only,) if only else ()
    wait_healthy(context, lambda: context.containers(*looked_at), end, wanted)
    names = [name for name in _probed(context, folder) if name in wanted or name in context.site.file_stores]
    names = [name for name in names if not only or name == only]
    if names:
        _probe(context, folder, names, max(1, math.ceil(end - time.monotonic())))


def _probed(context: Context, folder: Path) -> list[str]:
    """Return the services and stores that are deployed here and are in the daemon's catalog."""
    site = context.site
    names = [*(each.name for each in site.services), *site.stores]
    if _inside(folder):
        names += site.file_stores  # files in volumes, which are mounted there
        known = _names_in(context.state.path / FILES / CATALOG)
        names = [name for name in names if name in known]
    return names


def _names_in(catalog: Path) -> set[str]:
    """Return the services and stores in the daemon's catalog, which may be an older one."""
    try:
        read = yaml.safe_load(catalog.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnhealthyError(
            f"the probes could not be run: {catalog} cannot be read: {shown(str(error))}"
        ) from None
    sections = [read.get(key) for key in ("services", "stores")] if isinstance(read, dict) else []
    return {str(name) for section in sections if isinstance(section, dict) for name in section}


def _inside(folder: Path) -> bool:
    return (folder / "compose.monitoring.yaml").is_file()


def _probe(context: Context, folder: Path, names: Sequence[str], seconds: int) -> None:
    """Probe from inside the project's network if the monitoring stack is deployed, otherwise from here."""
    check = ("check", "--json", "--deadline", str(seconds), *names)
    sentence = f"probing {' '.join(names)}"
    context.screen.waiting(sentence)
    patience = seconds + SPARE_SECONDS
    with context.screen.live(sentence):
        if _inside(folder):
            compose = context.compose(folder)
            done = compose.answer("run", "--rm", "--no-deps", "-T", "exporter", *check, seconds=patience)
        else:
            site = context.site
            options = ("--config", str(site.config), "--environment", site.environment)
            argv = (sys.executable, "-m", "exporter", check[0], *options, *check[1:])
            done = run(argv, seconds=patience)
    down = _down(context, done)
    if down:
        context.screen.say("\n".join(down.values()))
        raise UnhealthyError(
            f"not healthy within {context.site.verify_seconds} s: {', '.join(down)}",
            context.containers(*down),
        )
    if not done.good:
        raise UnhealthyError(f"the probes could not be run: {shown(done.reason, 300)}")
    context.screen.say(f"probes: {len(names)} of {len(names)} services and stores are healthy")


def _down(context: Context, done: Done) -> dict[str, str]:
    """Return a line for each service with a failing probe."""
    try:
        probes: list[Any] = json.loads(done.output)["probes"]
        bad = [each for each in probes if not each["success"]]
        return {
            shown(
                str(each["service"])
            ): f"   {shown(str(each['service']))}, probe {shown(str(each['probe']))}: "
            f"{shown(str(each['reason']))}: {shown(str(each['detail']), 300)}"
            for each in bad
        }
    except (ValueError, KeyError, TypeError):
        context.engine.facts()
        raise UnhealthyError(f"the probes could not be run: {shown(done.reason, 300)}") from None
