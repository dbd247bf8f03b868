"""Families of MongoDB probes."""

from __future__ import annotations

from exporter.probes.net.families import NETWORK
from exporter.probes.stores.families import SERVER, SIZE
from exporter.probes.tls.families import TLS

FAMILIES = (*NETWORK, *TLS, *SERVER, SIZE)
