"""`exporter gen` in a separate process, with a table of outputs chosen by the test.

usage: python -m tests.outputs.tables NAME,NAME COMMAND...
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from exporter.cli import main
from exporter.outputs import registry

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = "prometheus,alertmanager,grafana"


def gen(config: Path, out: Path, *options: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run `exporter gen` for the configuration of Prometheus, Alertmanager and Grafana."""
    module = [sys.executable, "-m", "tests.outputs.tables", CONFIGURATION]
    command = [*module, "gen", "--config", str(config), "--out", str(out), *options]
    return subprocess.run(command, text=True, capture_output=True, timeout=60, check=False, **how)


if __name__ == "__main__":
    wanted = sys.argv.pop(1).split(",")
    outputs: tuple[registry.Output, ...] = registry.OUTPUTS
    chosen = tuple(output for output in outputs if output.name in wanted)
    setattr(registry, "OUTPUTS", chosen)  # noqa: B010 - its type contains the length of the whole table
    main()
