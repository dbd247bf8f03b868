"""What holds for every test, wherever the suite was started."""

from __future__ import annotations

import gc
import signal

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In the background of a script Ctrl-C is ignored, and what the tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", autouse=True)
def _earlier_objects_are_not_collected() -> None:
    """Keep what earlier modules left out of the collector's full runs: in a process of 5,000 tests one takes 0.3 s,
    which tests that measure how long the event loop is held would count.
    """
    gc.collect()
    gc.freeze()
