"""Fuzz for longer than the suite does: `make fuzz`, or `python -m tests.fuzz.guided [--seconds N] [NAME …]`.

With atheris, which has no wheel for every Python, coverage guides the inputs, and each test runs in a separate
process. Without it, hypothesis tries random ones. A failure prints the input; add it to the seeds.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from inspect import signature
from pathlib import Path

SECONDS = 60
IMPORTS = re.compile(r"^(?:from|import) hypothesis\b", re.MULTILINE)


def main() -> int:
    """Fuzz the named tests, or all, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a test's name (default: all tests)")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="seconds for each test, with atheris")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        guide(options.only, options.seconds)
    if not importlib.util.find_spec("atheris"):
        print("atheris is not installed; inputs are random and not guided by coverage", file=sys.stderr)
        os.environ["HYPOTHESIS_PROFILE"] = "fuzz"
        chosen = ["-k", " or ".join(options.names)] if options.names else []
        files = [str(file) for file in driven()]
        command = [sys.executable, "-m", "pytest", *files, "-m", "hypothesis", "--timeout", "0", *chosen]
        return subprocess.run(command, check=False).returncode
    failed = []
    for name in found():
        if not options.names or any(part in name for part in options.names):
            print(f"== {name}", file=sys.stderr)
            command = [
                sys.executable,
                "-m",
                "tests.fuzz.guided",
                "--only",
                name,
                "--seconds",
                str(options.seconds),
            ]
            if subprocess.run(command, check=False).returncode:
                failed.append(name)
    print("\n".join(f"failed: {name}" for name in failed) or "nothing was found")
    return int(bool(failed))


def driven() -> list[Path]:
    """Return the test files that import hypothesis, directly or through the helpers next to this file."""
    fuzz = Path(__file__).parent
    files = sorted(fuzz.parent.rglob("test_*.py"))
    return [file for file in files if file.parent == fuzz or IMPORTS.search(file.read_text())]


def found() -> list[str]:
    """Return the tests that hypothesis drives, as `module:test`. A test that needs a fixture runs
    only under pytest."""
    root = Path(__file__).parents[2]
    modules = [".".join(file.relative_to(root).with_suffix("").parts) for file in driven()]
    return [
        f"{module}:{name}"
        for module in modules
        for name, test in vars(importlib.import_module(module)).items()
        if name.startswith("test_") and hasattr(test, "hypothesis") and not signature(test).parameters
    ]


def guide(name: str, seconds: int) -> None:
    """Run one test under atheris, which ends the process."""
    import atheris

    module, _, test = name.partition(":")
    with atheris.instrument_imports(include=["exporter"]):
        tests = importlib.import_module(module)
    one_input = getattr(tests, test).hypothesis.fuzz_one_input
    atheris.Setup(
        [name, f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=25", "-verbosity=0"],
        lambda data: one_input(data) and None,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
