"""The number of inputs: few and always the same in the suite, many and new ones with `make fuzz`."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# No deadline: the time for one input depends on the load of the machine. Whole tests have a time limit.
settings.register_profile(
    "suite",
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("fuzz", settings.get_profile("suite"), derandomize=False)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "suite")
settings.load_profile(PROFILE)

FUZZ_TIMES = 200
"""Factor by which `make fuzz` multiplies the number of inputs that each test sets."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try more inputs in every test that hypothesis drives, because a number set in the test would take precedence."""
    if PROFILE != "fuzz":
        return
    for test in {item.obj for item in items if isinstance(item, pytest.Function)}:
        own = getattr(test, "_hypothesis_internal_use_settings", None)
        if own is not None:
            more = settings(own, max_examples=own.max_examples * FUZZ_TIMES, derandomize=False)
            test._hypothesis_internal_use_settings = more
