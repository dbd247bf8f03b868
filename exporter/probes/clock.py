"""The clock of deadlines and durations."""

import time

clock = time.monotonic
"""The loop's own clock, but exact: uvloop's `time()` counts whole milliseconds and only between callbacks."""
