"""Rows of the page for containers and the engine: state, and usage with limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.daemon.page_words import Moment, counted, moment, short, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.daemon.snapshot import ContainerState, EngineSummary

NEARLY_ALL = 0.9
"""Usage from this share of the limit on is highlighted."""
BAR_WIDTH = 100
TONES = ("down", "unknown", "up", "unwatched")
"""Worst first; shapes and colours as for services."""
SOURCES = {"cgroup": "cgroup files", "api": "the engine's statistics", "none": "nothing"}
STOPPED = (0, 130, 143)
"""Exit codes of a container that finished, or ended after a request to stop."""


class Use(NamedTuple):
    """Usage of a resource. `width`: of the bar, None without a limit. `tight`: True if most of the limit is used."""

    name: str
    amount: str
    of: str
    width: float | None
    tight: bool


class ContainerRow(NamedTuple):
    """The row of a container. `state`: a service's word, for shape and colour; `word`: the engine's state.
    `condition`: its health, or what is wrong. `out_of_memory`: how often it was, if more often than `condition` says.
    """

    anchor: str
    name: str
    image: str
    project: str | None
    state: str
    word: str
    since: Moment | None
    condition: str
    out_of_memory: str
    uses: list[Use]


class Strangers(NamedTuple):
    """Containers outside the catalog. `account` summarises all of them; `more`: the number without a row."""

    tone: str
    account: str
    folded: bool
    rows: list[ContainerRow]
    more: int


class Engine(NamedTuple):
    """The engine. `problem`: text for the top of the page; `account`: text for its end."""

    problem: str
    account: str


def container_rows(
    containers: Sequence[ContainerState], now: float, most: int, *, strangers: bool = False
) -> tuple[list[ContainerRow], int]:
    """Return the rows of the `most` worst containers, worst first, and the number of others."""
    if not containers:
        return [], 0
    toned = [(_tone(container, strangers=strangers), container) for container in containers]
    toned.sort(key=lambda pair: TONES.index(pair[0]))
    rows = [_row(container, tone, now, strangers=strangers) for tone, container in toned[:most]]
    return rows, max(0, len(toned) - most)


def strangers_view(
    containers: Sequence[ContainerState], now: float, most: int, folded_above: int
) -> Strangers | None:
    if not containers:
        return None
    rows, more = container_rows(containers, now, most, strangers=True)
    return Strangers(
        tone="down" if rows[0].state == "down" else "unwatched",
        account=f"{counted(len(containers), 'container')} outside the catalog: {_states(containers)}",
        folded=len(containers) > folded_above,
        rows=rows,
        more=more,
    )


def engine_view(docker: EngineSummary | None) -> Engine | None:
    if docker is None:
        return None
    name = f"Docker {docker['version']}".strip()
    if not docker["up"]:
        error = docker["error"] or f"{name} at {docker['address']} has not been asked yet"
        problem = f"{error[0].upper()}{error[1:]}. The state of all containers is unknown."
        return Engine(problem, f"{name} at {docker['address']} does not answer.")
    read = [f"{SOURCES[source]} ({count:,})" for source, count in docker["sources"].items() if count]
    readings = (
        f"Running containers are measured by {', '.join(read)}." if read else "No container is running."
    )
    refused = "".join(f"{one[0].upper()}{one[1:]}. " for one in docker["refused"]).strip()
    return Engine(refused, f"{name} at {docker['address']} answers. {readings}")


def _row(container: ContainerState, tone: str, now: float, *, strangers: bool) -> ContainerRow:
    state = container["state"]
    unexplained = container["oom_events"] - container["oom_killed"]
    active = state in ("running", "paused")
    return ContainerRow(
        anchor="container-" + container["id"],
        name=container["name"],
        image=container["image"],
        project=container["project"] if strangers else None,
        state=tone,
        word=state,
        since=moment(container["started"] if active else container["finished"], now),
        condition=_condition(container),
        out_of_memory=_times(container["oom_events"]) if unexplained > 0 else "",
        uses=_uses(container) if active else [],
    )


def _tone(container: ContainerState, *, strangers: bool) -> str:
    """Return a container's word for shape and colour. Ended ones are no problem if replaced or outside the catalog."""
    if container["old"]:
        return "unwatched"
    state, health = container["state"], container["health"]
    if state == "running":
        return {"unhealthy": "down", "starting": "unknown"}.get(health, "up")
    if state == "exited" and not container["oom_killed"]:
        return "unwatched" if strangers or container["exit_code"] in STOPPED else "down"
    if state in ("paused", "removing") or (state == "created" and not container["error"]):
        return "unknown"
    return "down"


def _condition(container: ContainerState) -> str:
    if container["old"]:
        return f"replaced by a newer container; {container['detail']}"
    words = [container["detail"] or ("healthy" if container["health"] == "healthy" else "no health check")]
    if container["restarts"]:
        words.append(f"restarted {_times(container['restarts'])}")
    if container["state"] == "running" and container["source"] is None:
        words.append("usage is not measured")
    return ", ".join(words)


def _uses(container: ContainerState) -> list[Use]:
    cores, memory = container["cpu_cores"], container["memory_bytes"]
    uses = []
    if cores is None and container["source"] is not None:
        # Usage of CPU needs two readings, and the layout must not move when the second arrives.
        uses.append(Use("CPU", "", "not known yet", None, tight=False))
    if cores is not None:
        limit = container["cpu_limit_cores"]
        unit = "core" if (limit or cores) == 1 else "cores"
        uses.append(_use("CPU", cores, limit, short(cores), f"{short(limit)} {unit}" if limit else unit))
    if memory is not None:
        limit = container["memory_limit_bytes"]
        uses.append(_use("Memory", memory, limit, size(memory), size(limit) if limit else ""))
    return uses


def _use(name: str, used: float, limit: float | None, amount: str, words: str) -> Use:
    if not limit:
        return Use(name, amount, words, None, tight=False)
    share = used / limit
    return Use(name, amount, f"of {words}", round(min(1.0, share) * BAR_WIDTH, 1), share >= NEARLY_ALL)


def _states(containers: Iterable[ContainerState]) -> str:
    counts: dict[str, int] = {}
    for container in containers:
        word = "unhealthy" if container["health"] == "unhealthy" else container["state"]
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{count:,} {word}" for word, count in sorted(counts.items(), key=lambda pair: -pair[1]))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
