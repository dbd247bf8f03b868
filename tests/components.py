"""Programs that some tests need beside Python; `tools/test-components` installs them.

nginx = require("nginx")        # its path; without it the test is skipped, and in CI it fails
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

BEYOND_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian puts daemons, which is not on the search path of ordinary users."""


def require(program: str) -> str:
    """The path of `program`. A missing one skips the test; with CI=true it fails it."""
    found = shutil.which(program) or shutil.which(program, path=BEYOND_PATH)
    return found or _missing(
        f"{program} is not installed; tools/test-components installs what the tests need"
    )


def compose_2() -> str:
    """The path of Compose 2, the plug-in of `docker`; `tools/compose-2` fetches it where none is installed."""
    folders = (
        Path(__file__).parents[1] / ".components/cli-plugins",
        *(Path(folder, "docker/cli-plugins") for folder in ("/usr/libexec", "/usr/lib", "/usr/local/lib")),
        Path.home() / ".docker/cli-plugins",
    )
    found = shutil.which("docker-compose", path=os.pathsep.join(map(str, folders)))
    return found or _missing("Compose 2 is not installed; tools/compose-2 fetches it")


def mongodb_stand_in() -> Path:
    """The folder of FerretDB and mongosh, which `tools/mongodb-stand-in` makes."""
    folder = Path(__file__).parents[1] / ".components/mongodb"
    if not (folder / "versions").exists():
        _missing("there is no stand-in for MongoDB; tools/mongodb-stand-in makes it")
    return folder


def _missing(message: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
