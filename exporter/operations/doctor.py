"""`exporter doctor`: every finding of the pre-flight checks, also good ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console

from exporter import __version__
from exporter.host.findings import State
from exporter.host.preflight import Preflight

if TYPE_CHECKING:
    from exporter.host.site import Site

_MARKS = {State.GOOD: "ok", State.WARNING: "warning", State.PROBLEM: "problem", State.UNKNOWN: "unknown"}
_STYLES = {State.WARNING: "yellow", State.PROBLEM: "red", State.UNKNOWN: "dim"}


def show(site: Site, *, as_json: bool) -> bool:
    """Run every check and print its findings; return False if there are problems."""
    preflight = Preflight(site)
    with preflight.connected():
        findings = list(preflight.findings())
    good = all(each.state in (State.GOOD, State.WARNING) for each in findings)
    if as_json:
        rows = [asdict(each) for each in findings]
        print(
            json.dumps(
                {"exporter": __version__, "environment": site.environment, "good": good, "findings": rows},
                indent=2,
            )
        )
        return good
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{site.title}, exporter {__version__}\n", markup=False)
    width = max(len(each.check) for each in findings)
    for each in findings:
        line = f"{each.check:<{width}}  {_MARKS[each.state]:<7}  {each.sentence}"
        console.print(line, markup=False, style=_STYLES.get(each.state))
    return good
