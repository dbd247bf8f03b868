"""The changes of a deploy as they are shown, and the order in which services start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.releases.order import batches, levels
from exporter.releases.plan import Plan, Wanted, plan
from exporter.releases.tags import is_tag, tag_of
from tests.releases.containers import container, image_id

if TYPE_CHECKING:
    from exporter.host.containers import Container

A, B = image_id("a"), image_id("b")
WEB = [container("web", number) for number in (1, 2, 3)]


def shown(wanted: list[Wanted], there: list[Container], removed: tuple[str, ...] = ()) -> list[str]:
    tags = {each.service: tag_of(each.image_name) for each in there}
    return plan(wanted, there, tags, removed).lines()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted("web", "v1", A, "h1", 3), "unchanged: web"),
        (Wanted("web", "v4", B, "h2", 3, rolling=True), "web v1→v4, 3 replicas, rolling"),
        (Wanted("web", "v4", None, "h2", 3), "web v1→v4, 3 replicas"),
        (Wanted("web", "v4", A, "h1", 3, fetched=True), "web v1→v4, 3 replicas"),
        (Wanted("web", "v1", A, "h1", 3, fetched=True), "unchanged: web"),
        (Wanted("web", "v1", B, "h2", 3), "web v1 (another image), 3 replicas"),
        (Wanted("web", "v1", A, "h2", 3, rolling=True), "web v1, 3 replicas, definition changed, rolling"),
        (Wanted("web", "v1", A, "h1", 2), "web v1, 3→2 replicas"),
        (Wanted("web", "v4", B, "h1", 4), "web v1→v4, 3→4 replicas"),
        (Wanted("api", "v1", A, "h1"), "api v1, new"),
        (Wanted("api", "v1", None, "h1", 2), "api v1, 2 replicas, new"),
        (Wanted("api", "v1", A, "h1", 0), "unchanged: api"),
    ],
)
def test_a_row_says_what_happens_to_a_service(wanted: Wanted, expected: str) -> None:
    assert shown([wanted], WEB) == [expected]


def test_what_does_not_run_is_started_but_not_a_job_that_is_done() -> None:
    there = [container("db", state="exited"), container("migrate", state="exited", restart="no")]
    wanted = [Wanted("db", "v1", A, "h1"), Wanted("migrate", "v1", A, "h1")]
    assert shown(wanted, there) == ["db v1, not running: to be started", "unchanged: migrate"]


def test_what_is_removed_comes_last_and_what_stays_is_one_line() -> None:
    there = [*WEB, container("mailer"), container("db"), container("cache")]
    wanted = [Wanted(name, "v1", A, "h1") for name in ("db", "cache")] + [Wanted("web", "v4", B, "h1", 3)]
    lines = shown(wanted, there, ("mailer", "never-ran"))
    assert lines == ["web v1→v4, 3 replicas", "mailer removed", "unchanged: db cache"]
    assert Plan(()).lines() == []


def test_services_start_after_what_they_depend_on() -> None:
    level = levels(
        {"db": 0, "cache": 0}, {"migrate": 1, "web": 3, "api": 2}, "gateway", ["exporter", "grafana"]
    )
    names = ["grafana", "web", "gateway", "unknown", "db", "api", "exporter", "migrate"]
    assert batches(names, level) == [
        ("db",),
        ("migrate",),
        ("api",),
        ("web",),
        ("gateway",),
        ("exporter", "grafana"),
        ("unknown",),
    ]
    assert batches([], level) == []


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("shop/web:v1", "v1"),
        ("postgres", "latest"),
        ("registry:5000/shop/web", "latest"),
        ("registry:5000/shop/web:v1", "v1"),
        (f"redis:7@sha256:{'ab' * 32}", "7"),
        (f"redis@sha256:{'ab' * 32}", "abababababab"),
        (f"sha256:{'ab' * 32}", "abababababab"),
    ],
)
def test_tags_are_shown_and_not_digests(name: str, tag: str) -> None:
    assert tag_of(name) == tag


@pytest.mark.parametrize(
    ("text", "good"), [("v1.4-2_x", True), ("", False), ("a b", False), ("$(id)", False), ("v1\n", False)]
)
def test_a_tag_is_one_of_an_image(text: str, good: bool) -> None:
    assert is_tag(text) is good
