"""The clock for deadlines and durations."""

import time

clock = time.monotonic
"""The loop's clock, but exact: uvloop's `time()` counts whole milliseconds and advances only between callbacks."""
