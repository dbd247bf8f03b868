"""The status page: renders one snapshot as HTML. It loads nothing from other places, and no other script can run.

The most urgent services come first: those that are down, among them first those without a failing dependency (more
likely the cause), then unknown ones, then those that are up but depend on something that is down. Within each group the
order is that of the catalog.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from exporter.daemon.page_containers import engine_view, strangers_view
from exporter.daemon.page_rows import PHASES, RANKS, WORDS, Link, anchor_of, rows_of, service_view
from exporter.daemon.page_storage import volume_rows
from exporter.daemon.page_words import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.daemon.snapshot import ServiceState, ServiceWord, Snapshot

REFRESH_SECONDS = 5
MAX_ROWS = 1500
"""Enough for 300 services with several probes and containers each. Rendering more would stall the probes."""
MAX_STRANGERS = 100
FOLDED_ABOVE = 10
"""If there are more containers outside the catalog than this, they are collapsed."""
MAX_NAMED = 10
"""Number of down services that are named below the headline."""

TEMPLATES = Path(__file__).parent / "templates"
SECTIONS = (("service", "Services"), ("store", "Stores"))

# The tab's icon shows the state too: with the shapes of the page, in colours that are visible on light and dark.
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
"""Only the page's own style and script are allowed: even unescaped markup could neither run nor load anything."""

_environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_template = _environment.get_template("services.html")


def render_page(snapshot: Snapshot) -> str:
    """Render the page of a snapshot (see `state.snapshot`)."""
    now = snapshot["time"]
    services = snapshot["services"]
    states = {service["name"]: service["state"] for service in services}
    ordered = sorted(services, key=lambda service: _rank(service, states))
    shown, hidden = _cut(ordered)
    views = [(service["kind"], service_view(service, states, now)) for service in shown]
    sections = [(kind, title, [view for of, view in views if of == kind]) for kind, title in SECTIONS]
    down = [service["name"] for service in ordered if service["state"] == "down"]
    engine = engine_view(snapshot["docker"])
    volumes = volume_rows(snapshot["volumes"], now)
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
        down=[Link(name, anchor_of(name), "down") for name in down[:MAX_NAMED]],
        more_down=max(0, len(down) - MAX_NAMED),
        sections=[section for section in sections if section[2]],
        hidden=hidden,
        engine=engine,
        volumes=volumes,
        filling=[volume for volume in volumes if volume.tone in ("down", "unknown")],
        strangers=strangers_view(snapshot["strangers"], now, MAX_STRANGERS, FOLDED_ABOVE),
        icons=ICONS,
        phases=(*PHASES, "other"),
    )


def _rank(service: ServiceState, states: Mapping[str, ServiceWord]) -> int:
    rank = RANKS[service["state"]]
    fails = any(states.get(name) == "down" for name in service["depends_on"])
    if service["state"] == "down":
        return rank + fails
    return rank - 1 if fails and service["state"] == "up" else rank


def _cut(ordered: list[ServiceState]) -> tuple[list[ServiceState], int]:
    """Return the first services, with at most `MAX_ROWS` rows but at least one service, and the number left out."""
    rows = 0
    for index, service in enumerate(ordered):
        rows += rows_of(service)
        if rows > MAX_ROWS and index:
            return ordered[:index], len(ordered) - index
    return ordered, 0


def _headline(summary: Mapping[ServiceWord, int]) -> str:
    watched = summary["up"] + summary["down"] + summary["unknown"]
    if not watched:
        return "Nothing is watched"
    if summary["down"]:
        return f"{summary['down']} of {watched} down"
    if summary["unknown"]:
        return f"{summary['unknown']} of {watched} unknown"
    return f"All {watched} up" if watched > 1 else "Up"
