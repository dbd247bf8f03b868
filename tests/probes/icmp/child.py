"""Run ICMP probes in a separate process and print the results as JSON; `test_icmp` starts it.

python -m tests.probes.icmp.child '{"nobody": false, "seconds": 1, "targets": [["127.0.0.1", 64]]}'
"""

from __future__ import annotations

import asyncio
import encodings.idna  # noqa: F401 - socket loads it on first use, and the user nobody may not be able to read it
import json
import os
import sys
import time

import uvloop

from exporter.catalog.planning.specs import IcmpSpec
from exporter.probes.compile import Shared, compile_probe

NOBODY = 65534


async def main() -> None:
    asked = json.loads(sys.argv[1])
    probes = [compile_probe(IcmpSpec(host, ttl=ttl), Shared()) for host, ttl in asked["targets"]]
    if asked["nobody"]:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    deadline = time.monotonic() + asked["seconds"]
    results = await asyncio.gather(*(probe.run(deadline) for probe in probes))
    rows = [
        {"reason": r.reason, "detail": r.detail, "facts": dict(r.facts), "seconds": r.duration_seconds}
        for r in results
    ]
    print(json.dumps(rows))


if __name__ == "__main__":
    uvloop.run(main())
