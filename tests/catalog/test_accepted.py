"""The last valid value next to the first invalid one, so that a limit that moves by one is noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import CatalogError, load_plan

if TYPE_CHECKING:
    from tests.catalog.doors import Write

LIMITS = {
    "port, least": ("services: {web: {port: %s}}", "1", "0"),
    "port, most": ("services: {web: {port: %s}}", "65535", "65536"),
    "replicas": ("services: {web: {image: w, replicas: %s}}", "0", "-1"),
    "redirects, most": ("services: {web: {port: 80, health: {redirects: %s}}}", "100", "101"),
    "redirects, least": ("services: {web: {port: 80, health: {redirects: %s}}}", "0", "-1"),
    "duration, least": ("defaults: {probe: {interval: %s, timeout: 1ms}}", "1ms", "0ms"),
    "duration, most": ("prometheus: {retention: %s}", "3650d", "3651d"),
    "wait": ("defaults: {alerts: {ServiceDown: {for: %s}}}", "0", "false"),
    "timeout": ("services: {web: {port: 80, probe: {interval: 5s, timeout: %s}}}", "5s", "5.001s"),
    "size, least": ("services: {web: {image: w, resources: {memory: %s}}}", "1", "0"),
    "size, whole bytes": ("services: {web: {image: w, resources: {memory: %s}}}", "1.5k", "1.5"),
    "size, most": ("services: {web: {image: w, resources: {memory: %s}}}", "8388607Ti", "8388608Ti"),
    "cores": ("services: {web: {image: w, resources: {cpu: %s}}}", "4096", "4096.1"),
    "processes": ("services: {web: {image: w, resources: {processes: %s}}}", "1", "0"),
    "percentage, least": ("services: {web: {image: w, slo: %s}}", "0%", "-1%"),
    "percentage, most": ("stores: {db: {engine: redis, max_connections: %s}}", "100%", "100.1%"),
    "objective": ("services: {web: {image: w, slo: %s}}", "99.9999%", "100%"),
    "name": ("services: {%s: {port: 80}}", "a" * 63, "a" * 64),
    "name, first character": ("services: {%s: {port: 80}}", "0a", "-a"),
    "secret's length, least": ("secrets: {a: {generate: %s}}", "16", "15"),
    "secret's length, most": ("secrets: {a: {generate: %s}}", "4096", "4097"),
    "status, least": ("services: {web: {port: 80, health: {status: %s}}}", "100", "99"),
    "status, most": ("services: {web: {port: 80, health: {status: %s}}}", "599", "600"),
    "statuses": ("services: {web: {port: 80, health: {status: %s}}}", "200-200", "201-200"),
    "payload": ("services: {web: {port: 80, probes: [{name: a, icmp: {payload: %s}}]}}", "65507", "65508"),
    "hops": ("services: {web: {port: 80, probes: [{name: a, icmp: {ttl: %s}}]}}", "255", "256"),
    "address": ("services: {web: {probes: [{name: a, tcp: '%s'}]}}", "a.test:65535", "a.test:65536"),
    "minute of a schedule": ("volumes: {a: {backup: '%s * * * *'}}", "59", "60"),
    "weekday of a schedule": ("volumes: {a: {backup: '0 0 * * %s'}}", "7", "8"),
    "end of a window": ("maintenance: [{name: a, when: '22:00-%s'}]", "24:00", "24:01"),
    "scale": ("services: {web: {image: w, scale: {min: 2, max: %s}}}", "2", "1"),
    "copies of a backup": ("volumes: {a: {backup: {keep: %s}}}", "1", "0"),
    "price": ("costs: {memory_hour: 1, cpu_hour: %s}", "0", "-0.1"),
    "bucket": ("backup: {s3: %s}", "abc", "ab"),
    "a repetition of a pattern": (
        "services: {web: {port: 80, health: {body: {matches: 'a{%s}'}}}}",
        "1000",
        "1001",
    ),
}


@pytest.mark.parametrize(("catalog", "right", "wrong"), LIMITS.values(), ids=LIMITS)
def test_both_sides_of_a_limit(catalog: str, right: str, wrong: str, write: Write) -> None:
    load_plan(write(f"{catalog % right}\n"))
    with pytest.raises(CatalogError):
        load_plan(write(f"{catalog % wrong}\n"))
