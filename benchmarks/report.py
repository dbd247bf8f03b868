"""Results as a table for a terminal, as JSON, and as the tables of docs/performance.md."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from benchmarks.figures import Result, shown
from benchmarks.programs import BenchmarkError, find

if TYPE_CHECKING:
    from rich.console import Console

BEGIN = "<!-- begin: made by `python -m benchmarks --write docs/performance.md`; do not edit -->"
END = "<!-- end -->"


def machine() -> dict[str, Any]:
    """Return the machine and the versions that the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "prometheus": _version("prometheus", "prometheus"),
        "blackbox_exporter": _version("prometheus-blackbox-exporter", "prometheus-blackbox-exporter"),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _version(program: str, package: str) -> str:
    """Return the version that a Prometheus program prints: the third word of `prometheus, version 2.42.0+ds (…)`."""
    done = subprocess.run([find(program, package), "--version"], capture_output=True, text=True, check=True)
    return (done.stdout or done.stderr).split()[2]


def machine_text(about: dict[str, Any]) -> str:
    return (
        f"{about['cores']} cores of {about['cpu']}, {about['memory_gb']} GB, {about['kernel']}; "
        f"Python {about['python']}, Prometheus {about['prometheus']}, "
        f"blackbox_exporter {about['blackbox_exporter']}; load before the run {about['load_before']}; {about['date']}"
    )


def print_result(console: Console, result: Result) -> None:
    table = Table(title=result.title, title_justify="left", title_style="bold")
    table.add_column("")
    for heading in ("daemon", "blackbox", "ratio", "wanted"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for figure in result.figures:
        colour = {True: "green", False: "red", None: ""}[figure.reached]
        verdict = figure.verdict()
        table.add_row(
            figure.name,
            shown(figure.ours, figure.unit),
            shown(figure.peer, figure.unit),
            shown(figure.ratio, ""),
            figure.wanted(),
            f"[{colour}]{verdict}[/]" if verdict else "",
        )
    console.print(table)
    for remark in remarks(result):
        console.print(f"  {remark}", style="dim")
    console.print()


def remarks(result: Result) -> list[str]:
    return [f"{f.name}: {f.remark}." for f in result.figures if f.remark]


def markdown(results: list[Result], about: dict[str, Any]) -> str:
    """Return the goals, then every figure by case."""
    lines = ["| goal | wanted | reached | |", "| --- | --- | --- | --- |"]
    for result in results:
        for figure in result.figures:
            if figure.goal is not None:
                unit = "" if figure.goal_of == "ratio" else figure.unit
                cells = [
                    f"{result.title}: {lowered(figure.name)}",
                    figure.wanted(),
                    shown(figure.judged, unit),
                ]
                lines.append(
                    row(
                        [
                            *cells,
                            f"{'' if figure.reached else '**'}{figure.verdict()}{'' if figure.reached else '**'}",
                        ]
                    )
                )
    lines += ["", f"Measured on {machine_text(about)}."]
    for result in results:
        compared = any(figure.peer is not None for figure in result.figures)
        headings = ["", "daemon", "blackbox_exporter", "ratio"] if compared else ["", "daemon"]
        lines += ["", f"### {result.title}", "", row(headings), row(["---"] * len(headings))]
        for figure in result.figures:
            cells = [figure.name, shown(figure.ours, figure.unit)]
            if compared:
                cells += [shown(figure.peer, figure.unit), shown(figure.ratio, "")]
            lines.append(row(cells))
        if remarks(result):
            lines += ["", *(f"- {remark}" for remark in remarks(result))]
    return "\n".join(lines)


def lowered(text: str) -> str:
    """Return the text for the middle of a sentence: `Memory` becomes `memory`, `CPU` stays."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(path: Path, text: str) -> None:
    """Put `text` between the markers of a page.

    Raises:
        BenchmarkError: the page has no markers.
    """
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchmarkError(f"{path} has no markers for the tables; add a line {BEGIN} and a line {END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
