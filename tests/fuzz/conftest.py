"""How many inputs are tried: few and always the same in the suite, many and new ones by `make fuzz`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline: how long one input takes depends on what else the machine does. Whole tests have a time limit.
settings.register_profile(
    "suite",
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("fuzz", settings.get_profile("suite"), max_examples=20_000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
