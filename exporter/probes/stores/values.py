"""Values that a store says of itself, as facts: only what is of the kind that belongs there, and nothing else.

A fact becomes a sample, a label, and text on a page. So a version is a version, and a number is finite.
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
"""From what the server sent to a fact; None of what is none."""

NUMBER = re.compile(rb"[0-9]{1,19}(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,3})?")
VERSION = re.compile(rb"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,63}")


def amount(raw: bytes, _: Secrets) -> float | None:
    """A finite number from 0 on."""
    if not NUMBER.fullmatch(raw):
        return None
    value = float(raw)
    return value if math.isfinite(value) else None


def flag(raw: bytes, _: Secrets) -> float | None:
    """0 or 1."""
    return float(raw) if raw in (b"0", b"1") else None


def version(raw: bytes, secrets: Secrets) -> str | None:
    """A version, which is shown as a label: not a secret that the server repeats."""
    if not VERSION.fullmatch(raw):
        return None
    text = raw.decode()
    return text if secrets.shown(PeerText(raw)) == repr(text) else None


def one_of(*known: str) -> Reader:
    """One of a closed list of texts."""
    return lambda raw, _: next((text for text in known if raw == text.encode()), None)
