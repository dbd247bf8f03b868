"""The key `restart`: when the engine restarts a container."""

from __future__ import annotations

from typing import Literal

RestartPolicy = Literal["no", "always", "on-failure", "unless-stopped"]
