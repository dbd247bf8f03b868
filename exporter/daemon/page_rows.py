"""Rows of the page: converts a service's snapshot to text, links and bars."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from exporter.daemon.page_containers import ContainerRow, container_rows
from exporter.daemon.page_storage import Note, backup_note, store_note
from exporter.daemon.page_words import Moment, moment, period, seconds, span
from exporter.probes.base import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.daemon.snapshot import ProbeState, ServiceState, ServiceWord

RANKS: dict[ServiceWord, int] = {"down": 0, "unknown": 2, "up": 4, "unwatched": 5}
"""Problems first. The numbers in between are for services with a failing dependency."""
WORDS: dict[str, str] = {"unwatched": "not watched"}
PHASES = ("resolve", "connect", "tls", "processing", "transfer", "query")
"""Phases with their own colour."""
REASONS = {str(reason): meaning for reason, meaning in MEANINGS.items()}
EXPIRY_SHOWN_SECONDS = 30 * 86400
"""A certificate that expires within this time is shown."""
BAR_WIDTH = 100
MAX_CONTAINERS = 12
"""Maximum rows for containers of one service."""


class Segment(NamedTuple):
    phase: str
    x: float
    width: float


class Latency(NamedTuple):
    """The latency of a probe. `segments` divide the bar in proportion to the time of each phase."""

    total: str
    segments: list[Segment]
    spoken: str
    longest: str


class ProbeView(NamedTuple):
    name: str
    anchor: str
    protocol: str
    state: str
    word: str
    since: Moment | None
    reason: str | None
    meaning: str
    detail: str
    latency: Latency | None
    last: Moment | None
    late: str
    target: str
    times: str
    counts: str
    missed: int
    certificate: str
    store: Note | None


class Link(NamedTuple):
    name: str
    anchor: str | None
    state: str


class ServiceView(NamedTuple):
    """The row of a service. `only`: the probe that shares this row; `probes`: those with their own rows, summarised in
    `account`.

    `containers` have their own rows, except for `more_containers` without space. `missing`: a sentence if fewer
    containers are running than wanted.
    """

    name: str
    anchor: str
    description: str
    owner: str | None
    deployed: bool
    runbook: str | None
    state: str
    word: str
    since: Moment | None
    account: str
    depends_on: list[Link]
    failing: list[Link]
    only: ProbeView | None
    probes: list[ProbeView]
    containers: list[ContainerRow]
    more_containers: int
    missing: str
    backup: Note | None


def service_view(service: ServiceState, states: Mapping[str, ServiceWord], now: float) -> ServiceView:
    anchor = anchor_of(service["name"])
    probes = [
        _probe(probe, anchor, now) for probe in sorted(service["probes"], key=lambda p: RANKS[p["state"]])
    ]
    links = [
        Link(name, anchor_of(name) if name in states else None, states.get(name, "unwatched"))
        for name in service["depends_on"]
    ]
    state = service["state"]
    containers, more = container_rows(service["containers"], now, MAX_CONTAINERS)
    return ServiceView(
        name=service["name"],
        anchor=anchor,
        description=service["description"],
        owner=service["owner"],
        deployed=service["deployed"],
        runbook=_web_link(service["runbook"]),
        state=state,
        word=WORDS.get(state, state),
        since=moment(service["since"], now),
        account=_account(probes) if probes else _account_without_probes(service),
        depends_on=links,
        failing=[link for link in links if link.state == "down"],
        only=probes[0] if len(probes) == 1 else None,
        probes=probes if len(probes) > 1 else [],
        containers=containers,
        more_containers=more,
        missing=_missing(service["containers_wanted"], service["containers_running"]),
        backup=backup_note(service["backup"], now),
    )


def rows_of(service: ServiceState) -> int:
    """Return the maximum number of rows for the service."""
    return 1 + len(service["probes"]) + min(MAX_CONTAINERS, len(service["containers"]))


def _probe(probe: ProbeState, anchor: str, now: float) -> ProbeView:
    interval, timeout = probe["interval_seconds"], probe["timeout_seconds"]
    runs = probe["successes"] + probe["failures"]
    state = probe["state"]
    return ProbeView(
        name=probe["name"],
        anchor=f"{anchor}/{quote(probe['name'], safe='')}",
        protocol=probe["protocol"],
        state=state,
        word=WORDS.get(state, state),
        since=moment(probe["since"], now),
        reason=probe["reason"] if state == "down" else None,
        meaning=REASONS.get(probe["reason"] or "", ""),
        detail=probe["detail"],
        latency=_latency(probe["duration_seconds"], probe["phases"]),
        last=moment(probe["last_run"], now),
        late=_late(probe["last_run"], interval, timeout, now),
        target=probe["target"],
        times=f"every {period(interval)}, timeout {period(timeout)}",
        counts=f"{probe['failures']:,} of {runs:,} failed" if runs else "",
        missed=probe["missed"],
        certificate=_certificate(probe["facts"], now),
        store=store_note(probe["facts"], now),
    )


def _account(probes: list[ProbeView]) -> str:
    states = [probe.state for probe in probes]
    for state in ("down", "unknown"):
        if count := states.count(state):
            return f"{count} of {len(states)} probes {WORDS.get(state, state)}"
    return f"All {len(states)} probes ok"


def _account_without_probes(service: ServiceState) -> str:
    containers = sum(not container["old"] for container in service["containers"])
    if service["state"] == "unwatched":
        return "No probes"
    if not containers and service["state"] == "down":
        return "No probes and no containers"
    if not containers:
        return "No probes; Docker does not report its containers"
    return (
        f"No probes; state taken from its {f'{containers:,} containers' if containers > 1 else 'container'}"
    )


def _missing(wanted: int | None, runs: int | None) -> str:
    if wanted is None or runs is None or runs >= wanted:
        return ""
    return "Its container is not running" if wanted == 1 else f"{runs:,} of {wanted:,} containers are running"


def _latency(total: float | None, phases: Mapping[str, float]) -> Latency | None:
    if total is None:
        return None
    sum_of_phases = math.fsum(phases.values())
    if sum_of_phases <= 0:
        return Latency(seconds(total), [], "", "")
    segments: list[Segment] = []
    x = 0.0
    for phase, took in phases.items():
        width = took / sum_of_phases * BAR_WIDTH
        segments.append(Segment(phase if phase in PHASES else "other", round(x, 1), round(width, 1)))
        x += width
    spoken = ", ".join(f"{phase} {seconds(took)}" for phase, took in phases.items())
    longest = max(phases, key=lambda phase: phases[phase])
    return Latency(seconds(total), segments, spoken, longest if len(phases) > 1 else "")


def _late(last: float | None, interval: float, timeout: float, now: float) -> str:
    """Return a warning if results have stopped arriving: an old one must not look current."""
    if last is None or now - last <= 2 * interval + timeout:
        return ""
    return f"No result for {span(now - last)}, although one is due every {period(interval)}"


def _certificate(facts: Mapping[str, float | str], now: float) -> str:
    """Return a warning about expiry, for the verified chain if there is one."""
    expiry = facts.get("certificate_chain_expiry", facts.get("certificate_expiry"))
    if not isinstance(expiry, (int, float)) or expiry - now > EXPIRY_SHOWN_SECONDS:
        return ""
    if expiry <= now:
        return f"Certificate expired {span(now - expiry)} ago"
    return f"Certificate expires in {span(expiry - now)}"


def anchor_of(name: str) -> str:
    """Return the `id` of a row, quoted so that it is the same in an attribute and after `#`."""
    return "service-" + quote(name, safe="")


def _web_link(url: str | None) -> str | None:
    """Return the URL if it is http or https; `javascript:` and others are never made links."""
    if url is None:
        return None
    try:
        return url if urlsplit(url).scheme in ("http", "https") else None
    except ValueError:
        return None
