"""What holds for every test, wherever the suite was started."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In the background of a script Ctrl-C is ignored, and what the tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
