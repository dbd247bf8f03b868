"""Programs that some tests need in addition to Python; `tools/test-components` installs them.

nginx = require("nginx")        # its path; if it is missing, the test is skipped, or fails in CI
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

BEYOND_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""The folder where Debian installs daemons; it is not in the PATH of ordinary users."""


def require(program: str) -> str:
    """Return the path of `program`. If it is missing, skip the test; with CI=true, fail it."""
    found = shutil.which(program) or shutil.which(program, path=BEYOND_PATH)
    return found or _missing(
        f"{program} is not installed; tools/test-components installs what the tests need"
    )


def compose_2() -> str:
    """Return the path of Compose 2, the plug-in of `docker`; `tools/compose-2` downloads it if needed."""
    folders = (
        Path(__file__).parents[1] / ".components/cli-plugins",
        *(Path(folder, "docker/cli-plugins") for folder in ("/usr/libexec", "/usr/lib", "/usr/local/lib")),
        Path.home() / ".docker/cli-plugins",
    )
    found = shutil.which("docker-compose", path=os.pathsep.join(map(str, folders)))
    return found or _missing("Compose 2 is not installed; tools/compose-2 fetches it")


def mongodb_stand_in() -> Path:
    """Return the folder of FerretDB and mongosh, which `tools/mongodb-stand-in` builds."""
    folder = Path(__file__).parents[1] / ".components/mongodb"
    if not (folder / "versions").exists():
        _missing("the substitute for MongoDB is missing; build it with tools/mongodb-stand-in")
    return folder


def debian_servers() -> Path:
    """Return the tar file of Debian with servers, which `tools/debian-servers` makes."""
    file = Path(__file__).parents[1] / ".components/debian-servers/root.tar"
    if not file.exists():
        _missing("Debian's servers are missing; make their image with tools/debian-servers")
    return file


def _missing(message: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
