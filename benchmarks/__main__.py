"""Measure the daemon and compare it with blackbox_exporter: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from benchmarks import report
from benchmarks.cases import CASES
from benchmarks.comparison import Times
from benchmarks.programs import BenchmarkError


def main() -> int:
    """Run the cases. Exit status 0: all were measured, goals reached or not; 1: a program failed."""
    arguments = parse()
    console = Console(width=None if sys.stdout.isatty() else 120)
    progress = Console(stderr=True)
    times = Times(arguments.seconds if arguments.warm_up is None else arguments.warm_up, arguments.seconds)
    results = []
    try:
        about = report.machine()
        console.print(f"{report.machine_text(about)}\n", soft_wrap=True)
        for name in arguments.case or CASES:
            progress.print(f"{name}: {CASES[name].__doc__}", style="dim")
            result = CASES[name](times)
            results.append(result)
            report.print_result(console, result)
        if arguments.json:
            document = {"machine": about, "cases": [result.as_json() for result in results]}
            arguments.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        if arguments.write:
            report.write(arguments.write, report.markdown(results, about))
    except BenchmarkError as error:
        progress.print(str(error), style="red", markup=False, highlight=False)
        return 1
    return 0


def parse() -> argparse.Namespace:
    cases = "\n".join(f"  {name:8} {case.__doc__}" for name, case in CASES.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"cases:\n{cases}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--case", action="append", choices=list(CASES), help="run this case (repeatable; default: all)"
    )
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="length of each measured window (default: 30)"
    )
    parser.add_argument(
        "--warm-up", type=float, help="seconds before each window (default: same as --seconds)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="also put the tables between the markers in FILE"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
