"""Change single expressions of modules and see whether the tests of these modules notice.

    make mutants                                   # the modules that differ from the main branch
    make mutants ARGS='exporter/peer_text.py'      # these modules
    make mutants ARGS='--base HEAD~3'

mutmut makes and runs the changes in a copy of the checkout. A module's tests are those that import it. The unnoticed
changes are printed by function. The exit status is 1 if fewer than `WANTED_SHARE` were noticed. Not every change
matters (for example, in the text of a message), so a person reads the list.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
WANTED_SHARE = 0.95
NOTICED = ("killed", "timeout", "segfault", "suspicious")
UNNOTICED = ("survived", "no tests")


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", help="files below exporter/ (default: the changed ones)")
    parser.add_argument(
        "--base", default="origin/main", help="the revision to compare with (default: origin/main)"
    )
    options = parser.parse_args()
    modules = options.modules or changed(options.base)
    tests = sorted({test for module in modules for test in tests_of(module)})
    if not modules or not tests:
        print("no changed module is imported by a test", file=sys.stderr)
        return 0
    print(f"{len(modules)} modules, {len(tests)} files of tests", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "checkout")
        for name in output("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
            if Path(ROOT, name).is_file():
                target = copy / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)
        configure(copy, modules, tests)
        command = [sys.executable, "-m", "mutmut", "run"]
        run = subprocess.run(command, cwd=copy, text=True, capture_output=True, check=False)  # noqa: S603 - fixed words
        if run.returncode:
            print(*run.stdout.splitlines()[-30:], run.stderr, sep="\n", file=sys.stderr)
            return run.returncode
        return report(copy)


def output(*command: str, cwd: Path = ROOT) -> str:
    """Return what a command prints."""
    return subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=True).stdout  # noqa: S603 - no shell


def changed(base: str) -> list[str]:
    """Return the modules that differ from the common ancestor with `base`, including uncommitted changes."""
    ancestor = output("git", "merge-base", base, "HEAD").strip()
    names = output("git", "diff", "--name-only", "--diff-filter=d", ancestor, "--", "exporter").splitlines()
    return [name for name in names if name.endswith(".py") and not name.endswith("__init__.py")]


def tests_of(module: str) -> list[str]:
    """Return the test files that import a module."""
    name = module.removesuffix(".py").replace("/", ".")
    found = []
    for file in sorted(ROOT.glob("tests/**/test_*.py")):
        if "system" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
            if name in names:
                found.append(str(file.relative_to(ROOT)))
                break
    return found


def configure(copy: Path, modules: list[str], tests: list[str]) -> None:
    """Tell mutmut what to change and what to run."""
    project = copy / "pyproject.toml"
    text = project.read_text()
    project.write_text(
        f"{text}\n[tool.mutmut]\nsource_paths = {modules}\npytest_add_cli_args_test_selection = {tests}\n"
        'also_copy = ["exporter", "tests", "scripts", "tools", "pyproject.toml", "config.example.yaml", "docs"]\n'
    )


def report(copy: Path) -> int:
    """Print the unnoticed changes and the share of noticed ones."""
    lines = output(sys.executable, "-m", "mutmut", "results", "--all", "true", cwd=copy).splitlines()
    verdicts = [line.strip().rsplit(": ", 1) for line in lines if ": " in line]
    unnoticed = [name for name, verdict in verdicts if verdict in UNNOTICED]
    noticed = sum(verdict in NOTICED for _, verdict in verdicts)
    for name in unnoticed:
        change = output(sys.executable, "-m", "mutmut", "show", name, cwd=copy).splitlines()
        print(
            f"\n{name}",
            *(line for line in change if line[:1] in "+-" and line[:3] not in ("+++", "---")),
            sep="\n",
        )
    share = noticed / max(1, noticed + len(unnoticed))
    print(f"\n{noticed} of {noticed + len(unnoticed)} changes were noticed ({share:.0%})")
    return int(share < WANTED_SHARE)


if __name__ == "__main__":
    sys.exit(main())
