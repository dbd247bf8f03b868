"""Programs that some tests need beside Python; `scripts/test-components` installs them.

nginx = require("nginx")        # its path; without it the test is skipped, and in CI it fails
"""

from __future__ import annotations

import os
import shutil

import pytest

BEYOND_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian puts daemons, which is not on the search path of ordinary users."""


def require(program: str) -> str:
    """The path of `program`. A missing one skips the test; with CI=true it fails it."""
    found = shutil.which(program) or shutil.which(program, path=BEYOND_PATH)
    if found is not None:
        return found
    message = f"{program} is not installed; scripts/test-components installs what the tests need"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
