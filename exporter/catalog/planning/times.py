"""Interval and timeout of a probe: the nearest level that sets them wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.probes.health import Health
    from exporter.catalog.keys.probes.probe import Probe
    from exporter.catalog.keys.probes.times import ProbeTimes
    from exporter.catalog.reading.problems import CatalogPath, Finding

    Times = Health | Probe | ProbeTimes


def times(
    catalog: Catalog, container: Container, path: CatalogPath, written: Times
) -> tuple[float, float, Finding | None]:
    """Return interval and timeout of the probe at `path`, in seconds, and what is wrong with them.

    A timeout from a more distant level than the interval is shortened to it: with `interval: 2s`, no timeout has to
    be written. A longer timeout from the same level or a nearer one was meant for this interval, so it is a mistake.
    """
    defaults = catalog.defaults.probe
    levels = ((path, written), ((*path[:2], "probe"), container.probe), (("defaults", "probe"), defaults))
    built_in = len(levels)

    def nearest(key: str) -> tuple[float, int]:
        level, value = next((i, v) for i, (_, t) in enumerate(levels) if (v := getattr(t, key)) is not None)
        of_model = levels[level][1] is defaults and key not in defaults.model_fields_set
        return value, built_in if of_model else level

    interval, interval_level = nearest("interval")
    timeout, timeout_level = nearest("timeout")
    if timeout <= interval:
        return interval, timeout, None
    meant = timeout_level < built_in if interval_level == built_in else timeout_level <= interval_level
    if not meant:
        return interval, interval, None
    sentence = f"a timeout of {timeout:g}s is longer than the interval of {interval:g}s"
    return interval, interval, ((*levels[timeout_level][0], "timeout"), sentence)
