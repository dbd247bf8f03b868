"""Readers of values that a store reports, which accept only values of the expected type.

A fact becomes a sample, a label and text on a page, so a version must be a version and a number finite.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from exporter.peer_text import PeerText

if TYPE_CHECKING:
    from exporter.peer_text import Secrets

Reader = Callable[[bytes, "Secrets"], float | str | None]
"""Converts a value sent by the server to a fact; None if it is not valid."""

NUMBER = re.compile(rb"[0-9]{1,19}(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,3})?")
VERSION = re.compile(rb"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,63}")


def amount(raw: bytes, _: Secrets) -> float | None:
    """Return a finite number of at least 0, or None."""
    if not NUMBER.fullmatch(raw):
        return None
    value = float(raw)
    return value if math.isfinite(value) else None


def flag(raw: bytes, _: Secrets) -> float | None:
    """Return 0 or 1, or None."""
    return float(raw) if raw in (b"0", b"1") else None


def version(raw: bytes, secrets: Secrets) -> str | None:
    """Return a version, or None; also None if the server repeats a secret, because a version becomes a label."""
    if not VERSION.fullmatch(raw):
        return None
    text = raw.decode()
    return text if secrets.shown(PeerText(raw)) == repr(text) else None


def one_of(*known: str) -> Reader:
    """Return a reader that accepts only the texts in `known`."""
    return lambda raw, _: next((text for text in known if raw == text.encode()), None)
