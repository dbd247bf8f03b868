"""The page of the services: one snapshot in, HTML out. Nothing of it comes from elsewhere, and nothing else may run.

Order is by need: what is down first, and of that what has no failing dependency (it is more likely the cause), then
what is not yet known, then what is up beside something that is down. Within each, the catalog's own order.
"""

from __future__ import annotations

import base64
import hashlib
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from exporter.probes.base import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REFRESH_SECONDS = 5
MAX_PROBES = 1500
"""Rows enough for 300 services with several probes each. More would stall the probes while the page is made."""
MAX_NAMED = 10
"""How many of the services that are down the headline names."""
EXPIRY_SHOWN_SECONDS = 30 * 86400
"""A certificate that ends within this time is mentioned."""
BAR_WIDTH = 100

TEMPLATES = Path(__file__).parent / "templates"
RANKS = {"down": 0, "unknown": 2, "up": 4, "unwatched": 5}
WORDS = {"unwatched": "not watched"}
SECTIONS = (("service", "Services"), ("store", "Stores"))
PHASES = ("resolve", "connect", "tls", "processing", "transfer", "query")
"""Phases that have a colour of their own."""
REASONS = {str(reason): meaning for reason, meaning in MEANINGS.items()}

# Tabs show the state too: the same shapes as on the page, and colours that show on light and dark.
_SHAPES = {
    "down": "<path fill='%23d3263f' d='M8 .8 15.6 15H.4z'/>",
    "unknown": "<path fill='%23c98a1b' d='M8 .6 15.4 8 8 15.4.6 8z'/>",
    "up": "<circle fill='%2323a05b' cx='8' cy='8' r='7'/>",
    "unwatched": "<circle fill='none' stroke='%237b8694' stroke-width='2' cx='8' cy='8' r='6'/>",
}
_SVG = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>{}</svg>"
ICONS = {state: _SVG.format(shape) for state, shape in _SHAPES.items()}

STYLE = (TEMPLATES / "services.css").read_text(encoding="utf-8")
SCRIPT = (TEMPLATES / "services.js").read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src '{_hash(STYLE)}'",
        f"script-src '{_hash(SCRIPT)}'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Only the page's own style and script; even markup that got past escaping could neither run nor load anything."""

_environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_template = _environment.get_template("services.html")


class Moment(NamedTuple):
    """A time for machines, for people who need it exact, and how long ago it was."""

    iso: str
    exact: str
    ago: str


class Segment(NamedTuple):
    phase: str
    x: float
    width: float


class Latency(NamedTuple):
    """`segments` share the bar in proportion to the time that each phase took."""

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


class Link(NamedTuple):
    name: str
    anchor: str | None
    state: str


class ServiceView(NamedTuple):
    """A row; `only` is the probe that shares it, `probes` are those with rows of their own, summed up in `account`."""

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


def render_page(snapshot: dict[str, Any]) -> str:
    """The page of what `state.snapshot` gave."""
    now: float = snapshot["time"]
    services: list[dict[str, Any]] = snapshot["services"]
    states: dict[str, str] = {service["name"]: service["state"] for service in services}
    ordered = sorted(services, key=lambda service: _rank(service, states))
    shown, hidden = _cut(ordered)
    views = [(service["kind"], _service(service, states, now)) for service in shown]
    sections = [(kind, title, [view for of, view in views if of == kind]) for kind, title in SECTIONS]
    down = [service["name"] for service in ordered if service["state"] == "down"]
    return _template.render(
        style=Markup(STYLE),  # noqa: S704 - this package's own file
        script=Markup(SCRIPT),  # noqa: S704 - this package's own file
        version=_hash(STYLE + SCRIPT),
        refresh_seconds=REFRESH_SECONDS,
        project=snapshot["project"],
        environment=snapshot["environment"],
        now=moment(now, now),
        summary=[(state, WORDS.get(state, state), count) for state, count in snapshot["summary"].items()],
        headline=_headline(snapshot["summary"]),
        worst=next((state for state in RANKS if snapshot["summary"].get(state)), "unwatched"),
        down=[Link(name, _anchor(name), "down") for name in down[:MAX_NAMED]],
        more_down=max(0, len(down) - MAX_NAMED),
        sections=[section for section in sections if section[2]],
        hidden=hidden,
        icons=ICONS,
        phases=PHASES,
    )


def _rank(service: Mapping[str, Any], states: Mapping[str, str]) -> int:
    rank = RANKS[service["state"]]
    fails = any(states.get(name) == "down" for name in service["depends_on"])
    if service["state"] == "down":
        return rank + fails
    return rank - 1 if fails and service["state"] == "up" else rank


def _cut(ordered: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """The first services, with at most `MAX_PROBES` probes, and how many are left off."""
    shown: list[dict[str, Any]] = []
    hidden = rows = 0
    for service in ordered:
        rows += max(1, len(service["probes"]))
        if rows > MAX_PROBES:
            hidden += 1
        else:
            shown.append(service)
    return shown, hidden


def _headline(summary: Mapping[str, int]) -> str:
    watched = summary["up"] + summary["down"] + summary["unknown"]
    if not watched:
        return "Nothing is watched"
    if summary["down"]:
        return f"{summary['down']} of {watched} down"
    if summary["unknown"]:
        return f"{summary['unknown']} of {watched} not probed yet"
    return f"All {watched} up" if watched > 1 else "Up"


def _service(service: Mapping[str, Any], states: Mapping[str, str], now: float) -> ServiceView:
    anchor = _anchor(service["name"])
    probes = [_probe(probe, anchor, now) for probe in sorted(service["probes"], key=lambda p: RANKS[p["state"]])]
    links = [
        Link(name, _anchor(name) if name in states else None, states.get(name, "unwatched"))
        for name in service["depends_on"]
    ]
    state = service["state"]
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
        account=_account([probe.state for probe in probes]),
        depends_on=links,
        failing=[link for link in links if link.state == "down"],
        only=probes[0] if len(probes) == 1 else None,
        probes=probes if len(probes) > 1 else [],
    )


def _probe(probe: Mapping[str, Any], anchor: str, now: float) -> ProbeView:
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
        meaning=REASONS.get(probe["reason"], ""),
        detail=probe["detail"],
        latency=_latency(probe["duration_seconds"], probe["phases"]),
        last=moment(probe["last_run"], now),
        late=_late(probe["last_run"], interval, timeout, now),
        target=probe["target"],
        times=f"every {period(interval)}, time-out {period(timeout)}",
        counts=f"{probe['failures']:,} of {runs:,} failed" if runs else "",
        missed=probe["missed"],
        certificate=_certificate(probe["facts"].get("certificate_expiry"), now),
    )


def _account(states: list[str]) -> str:
    if not states:
        return "Nothing probes it"
    for state in ("down", "unknown"):
        if count := states.count(state):
            return f"{count} of {len(states)} probes {WORDS.get(state, state)}"
    return f"All {len(states)} probes ok"


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
    """A sentence when results have stopped coming: an old one must not pass for the present."""
    if last is None or now - last <= 2 * interval + timeout:
        return ""
    return f"No result for {span(now - last)}, though one is due every {period(interval)}"


def _certificate(expiry: float | str | None, now: float) -> str:
    if not isinstance(expiry, (int, float)) or expiry - now > EXPIRY_SHOWN_SECONDS:
        return ""
    if expiry <= now:
        return f"Certificate expired {span(now - expiry)} ago"
    return f"Certificate expires in {span(expiry - now)}"


def _anchor(name: str) -> str:
    """The `id` of a row, quoted so that it is the same in an attribute and after `#`."""
    return "service-" + quote(name, safe="")


def _web_link(url: str | None) -> str | None:
    """The URL if following it only opens a page; `javascript:` and the like are not links."""
    if url is None:
        return None
    try:
        return url if urlsplit(url).scheme in ("http", "https") else None
    except ValueError:
        return None


def moment(at: float | None, now: float) -> Moment | None:
    """`at`, both in seconds since the epoch."""
    if at is None:
        return None
    time = datetime.fromtimestamp(at, UTC)
    return Moment(time.isoformat(timespec="seconds"), f"{time:%Y-%m-%d %H:%M:%S} UTC", span(now - at))


def span(duration: float) -> str:
    """How long ago, for people: at most the two largest units, never rounded up."""
    whole = max(0, int(duration))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 1:
        return f"{whole} s"
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 and days < 14 else f"{days} d"


def period(duration: float) -> str:
    """A duration that somebody wrote: exact."""
    return f"{duration / 60:g} min" if duration >= 60 and duration % 60 == 0 else f"{duration:g} s"


def seconds(duration: float) -> str:
    """A latency for people: three digits that mean something."""
    if duration >= 1:
        return f"{duration:.2f} s"
    milliseconds = duration * 1000
    return f"{milliseconds:.0f} ms" if milliseconds >= 100 else f"{milliseconds:.3g} ms"
