"""Each out-of-memory kill is counted once, whichever of the three sources report it, in any order."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from exporter.containers.oom import OomCount

if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[[OomCount], None]


def event(at: float) -> Step:
    return lambda count: count.event(at)


def end(at: float) -> Step:
    return lambda count: count.ended(at)


def seen(began: float | None, *, killed: bool = False) -> Step:
    return lambda count: count.inspected(began, oom_killed=killed)


def kernel(kills: int) -> Step:
    return lambda count: count.kernel_counted(kills)


def lives(number: int) -> list[Step]:
    """Return this many lives, each ended by one kill that an event, the flag and the kernel report."""
    steps: list[Step] = []
    for began in range(10, 10 * number + 10, 10):
        steps += [seen(began), kernel(1), event(began + 1), seen(began, killed=True)]
    return steps


@pytest.mark.parametrize(
    ("steps", "total"),
    [
        ([], 0),
        ([seen(None)], 0),
        ([seen(10)], 0),
        ([event(11)], 1),
        ([seen(10), event(11)], 1),
        ([seen(10, killed=True)], 1),
        ([seen(10), kernel(2)], 2),
        ([seen(10), event(11), kernel(2), seen(10, killed=True)], 2),
        ([seen(10), kernel(3), kernel(2)], 3),
        ([seen(10), event(11), event(12), event(13), kernel(2)], 3),
        # One kill causes several events. If there were several kills, the kernel's count shows it.
        ([seen(10), event(11), event(11.1), event(11.2), event(11.3)], 1),
        ([seen(10), event(11), event(11.1), kernel(2)], 2),
        ([seen(10), event(11), event(11.6), event(12.2)], 2),
        # Lives that follow so quickly that only the last is seen.
        ([seen(10), event(11), end(11.1), event(11.5), end(11.6), event(11.9), end(12)], 3),
        ([seen(10), end(11.1), event(11.2), end(11.6), event(11.7), seen(11.5, killed=True)], 2),
        ([seen(10), event(10.2), event(10.7), seen(10.5, killed=True)], 2),
        ([seen(10), *(event(11 + 2 * number) for number in range(40))], 40),
        ([seen(10), *(event(11 + 0.5 * number) for number in range(100))], 50),
        # The event comes before its life.
        ([seen(10), event(21), seen(20, killed=True)], 1),
        ([seen(10), event(11), event(21), seen(20), seen(20, killed=True)], 2),
        # An event of the moment in which a life began belongs to that life, seen before or after.
        ([seen(10), event(10), seen(10, killed=True)], 1),
        ([seen(10), event(20), seen(20, killed=True)], 1),
        # The event comes after the next life was seen.
        ([seen(10), seen(20), event(11)], 1),
        ([seen(10, killed=True), seen(20), event(11)], 1),
        # One kill is reported twice, another only by the flag, a third only by the kernel.
        ([seen(10), event(11), seen(10, killed=True), seen(20, killed=True), seen(30), kernel(1)], 3),
        (lives(1), 1),
        (lives(3), 3),
        (lives(4), 4),
        (lives(50), 50),
        # The two lives before the newest are still known.
        ([seen(10), seen(10, killed=True), seen(20), seen(30), event(11)], 1),
        # The event belongs to a life that is already settled.
        ([*lives(5), event(12)], 6),
        # Events of lives that were never seen, because the engine was unreachable, belong to the life before them.
        ([seen(10), event(11), event(21), event(31), seen(40)], 3),
        ([seen(10), *(event(20 + n) for n in range(40)), seen(40)], 40),
        # A machine that lost its clock starts in 1970.
        ([event(0.2), event(0.3)], 1),
    ],
)
def test_of_a_container_that_came_while_it_was_watched(steps: list[Step], total: int) -> None:
    count = OomCount()
    before = 0
    for step in steps:
        step(count)
        assert count.total >= before, "the count must never fall"
        before = count.total
    assert count.total == total


@pytest.mark.parametrize(
    ("steps", "total"),
    [
        ([seen(10)], 0),
        ([seen(10, killed=True)], 0),
        ([seen(10, killed=True), seen(10, killed=True)], 0),
        ([seen(10, killed=True), seen(20), seen(20, killed=True)], 1),
        ([seen(10), kernel(7)], 0),
        ([seen(10), kernel(7), kernel(8)], 1),
        ([seen(10), kernel(7), seen(20), kernel(2)], 2),
        ([seen(10), seen(10, killed=True)], 1),
        ([seen(10), kernel(7), event(11), kernel(8), seen(10, killed=True)], 1),
        # The first reading comes after the first kill.
        ([seen(10), event(11), kernel(8)], 1),
        ([seen(10), event(11), kernel(8), kernel(11)], 4),
        ([seen(10), event(11), kernel(1), kernel(2)], 2),
        ([event(11), seen(10, killed=True)], 1),
        ([seen(10, killed=True), *lives(5)[4:]], 4),
    ],
)
def test_what_was_before_the_daemon_watched_is_not_counted(steps: list[Step], total: int) -> None:
    count = OomCount(existed=True)
    for step in steps:
        step(count)
    assert count.total == total


@pytest.mark.parametrize("existed", [True, False])
def test_it_knows_if_its_container_was_there_before_the_daemon(existed: bool) -> None:
    assert OomCount(existed=existed).existed is existed


@pytest.mark.parametrize(
    "step",
    [
        lambda number: event(11 + 2 * number),
        lambda number: end(11 + number),
        lambda number: seen(10 + number),
    ],
    ids=["events", "ends", "lives"],
)
def test_a_container_that_dies_for_years_takes_no_more_memory(step: Callable[[int], Step]) -> None:
    count = OomCount()

    def size_after(numbers: range) -> int:
        for number in numbers:
            step(number)(count)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    sizes = size_after(range(300)), size_after(range(300, 600))
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 3000, "each of the 300 takes 32 bytes or more"
