"""Families of TCP probes."""

from __future__ import annotations

from exporter.probes.net.families import NETWORK, REGEX
from exporter.probes.tls.families import TLS

FAMILIES = (*NETWORK, REGEX, *TLS)
