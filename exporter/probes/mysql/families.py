"""Families of MySQL probes."""

from __future__ import annotations

from exporter.probes.net.families import NETWORK
from exporter.probes.stores.families import PRODUCT, SERVER, SIZE, UPTIME
from exporter.probes.tls.families import TLS

FAMILIES = (*NETWORK, *TLS, *SERVER, PRODUCT, UPTIME, SIZE)
