"""Counters of items as Prometheus sees them: `increase()` uses the first sample as its start."""

from __future__ import annotations

from exporter.metrics.family import ItemFamily
from exporter.metrics.items import Items, value

Counts = tuple[int, int]

FAMILIES: tuple[ItemFamily[Counts], ...] = (
    ItemFamily("kills_total", "counter", "", value(lambda counts: counts[0]), from_zero=True),
    ItemFamily("size", "gauge", "", value(lambda counts: counts[1])),
)


def scrape(items: Items[Counts]) -> list[str]:
    return [chunk.decode() for row in items.chunks() for chunk in row]


def test_the_first_scrape_of_a_newborn_has_its_counters_at_zero_and_the_next_has_all() -> None:
    items = Items(FAMILIES)
    items.set("a", 'name="a"', (3, 9), newborn=True)
    assert scrape(items) == ['kills_total{name="a"} 0\n', 'size{name="a"} 9\n']
    assert scrape(items) == ['kills_total{name="a"} 3\n', 'size{name="a"} 9\n']
    items.set("a", 'name="a"', (4, 9), newborn=True)
    assert scrape(items)[0] == 'kills_total{name="a"} 4\n'


def test_what_is_raised_before_the_first_scrape_is_raised_after_it() -> None:
    items = Items(FAMILIES)
    for kills in range(3):
        items.set("a", "", (kills, 1), newborn=True)
    assert [scrape(items)[0] for _ in range(2)] == ["kills_total 0\n", "kills_total 2\n"]


def test_what_was_there_before_begins_where_it_is() -> None:
    items = Items(FAMILIES)
    items.set("a", "", (3, 9))
    assert scrape(items)[0] == "kills_total 3\n"


def test_what_is_lost_and_found_again_is_no_newborn() -> None:
    items = Items(FAMILIES)
    items.set("a", "", (3, 9), newborn=True)
    scrape(items)
    items.discard("a")
    items.set("a", "", (3, 9))
    assert scrape(items)[0] == "kills_total 3\n"


def test_only_what_is_kept_stays() -> None:
    items = Items(FAMILIES)
    for name in "abc":
        items.set(name, f'name="{name}"', (1, 1))
    items.keep(["b", "x"])
    assert scrape(items) == ['kills_total{name="b"} 1\n', 'size{name="b"} 1\n']
