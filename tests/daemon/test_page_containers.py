"""Containers, Docker, stores, backups and volumes on the page."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from exporter.daemon.page import render_page
from exporter.daemon.page_words import short, size
from tests.daemon.snapshots import NOW, backup, container, docker, probe, service, snapshot, volume


def text_of(html: str) -> str:
    """Return the text that a person reads, without the page's style and script."""
    body = re.sub(r"<(style|script|title)>.*?</\1>", "", html[html.index("<main") :], flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def said(*services: dict[str, Any], **values: Any) -> str:
    return text_of(render_page(snapshot(*services, **values)))


def said_of(each: dict[str, Any]) -> str:
    """Return the row of a container on an otherwise empty page."""
    html = render_page(snapshot(service("a", containers=[each])))
    row = html[html.index('class="container') :]
    return text_of("<main" + row[: row.index("</tr>")])


def test_why_it_is_down_stands_right_below() -> None:
    ended = container(
        "a-1", "exited", exit_code=137, detail="exited with code 137, out of memory", restarts=5
    )
    html = render_page(snapshot(service("a", probe("one", "down"), probe("two"), containers=[ended])))
    ids = re.findall(r'<tr role="row" id="([^"]+)"', html)
    assert ids == ["service-a", f"container-{ended['id']}", "service-a/one", "service-a/two"]
    assert "exited with code 137, out of memory, restarted 5 times" in text_of(html)


@pytest.mark.parametrize(
    ("each", "shape"),
    [
        (container(), "up"),
        (container(health="healthy"), "up"),
        (container(health="starting"), "unknown"),
        (container(health="unhealthy"), "down"),
        (container(state="paused"), "unknown"),
        (container(state="removing"), "unknown"),
        (container(state="created"), "unknown"),
        (container(state="created", error="no such file"), "down"),
        (container(state="restarting", exit_code=1), "down"),
        (container(state="dead"), "down"),
        (container(state="exited", exit_code=0), "unwatched"),
        (container(state="exited", exit_code=143), "unwatched"),
        (container(state="exited", exit_code=1), "down"),
        (container(state="exited", exit_code=0, oom_killed=True), "down"),
    ],
)
def test_a_containers_state_is_a_word_and_a_shape(each: dict[str, Any], shape: str) -> None:
    html = render_page(snapshot(service("a", containers=[each])))
    row = html[html.index('class="container') :]
    assert row.startswith(f'class="container {shape}"')
    assert f'<use href="#icon-{shape}"/></svg><b>{each["state"]}</b>' in row


def test_a_container_says_how_it_is_and_what_it_uses() -> None:
    words = said_of(container(health="healthy", cpu_limit_cores=0.5, memory_limit_bytes=512 * 2**20))
    for expected in ("running", "for 2 h", "web-1", "pageforge/web:1.4.2", "healthy"):
        assert expected in words
    assert "CPU 0.123 of 0.5 cores" in words
    assert "Memory 300 MiB of 512 MiB" in words
    assert "out of memory" not in words.lower()
    assert "restarted" not in words
    assert "Out of memory 3 times" in said_of(container(oom_events=3))
    assert "Out of memory" not in said_of(container(state="exited", oom_events=1, oom_killed=True))
    assert "Out of memory 2 times" in said_of(container(state="exited", oom_events=2, oom_killed=True))


def test_a_bar_stands_only_against_a_limit_and_stands_out_near_it() -> None:
    html = render_page(snapshot(service("a", containers=[container()])))
    assert 'class="used"' not in html
    html = render_page(snapshot(service("a", containers=[container(memory_limit_bytes=600 * 2**20)])))
    assert 'class="used" width="50.0"' in html
    assert 'class="use tight"' not in html
    html = render_page(snapshot(service("a", containers=[container(memory_limit_bytes=310 * 2**20)])))
    assert 'class="use tight"' in html


def test_what_is_not_measured_is_not_shown() -> None:
    words = said_of(container(source=None, cpu_cores=None, memory_bytes=None))
    assert "usage is not measured" in words
    assert "CPU" not in words
    assert "Memory" not in words
    assert "CPU not known yet Memory 300 MiB" in said_of(container(cpu_cores=None))
    words = said_of(container(state="exited", exit_code=1, detail="exited with code 1"))
    assert "exited for 1 min" in words
    assert "measured" not in words


@pytest.mark.parametrize(
    ("state", "containers", "words"),
    [
        ("unwatched", 0, "No probes"),
        ("unknown", 0, "No probes; Docker does not report its containers"),
        ("up", 1, "No probes; state taken from its container"),
        ("down", 2, "No probes; state taken from its 2 containers"),
    ],
)
def test_what_has_no_probe_says_what_it_is_judged_by(state: str, containers: int, words: str) -> None:
    assert words in said(
        service("a", state=state, containers=[container(f"a-{n}") for n in range(containers)])
    )


def test_of_many_replicas_the_worst_are_shown() -> None:
    replicas = [container(f"a-{n}") for n in range(30)] + [container("sick", health="unhealthy")]
    words = said(service("a", probe(), containers=replicas))
    assert "19 more containers in the same or better state not shown" in words
    assert "sick" in words
    assert words.index("sick") < words.index("a-0")


def test_strangers_have_a_section_and_make_no_alarm_of_having_ended() -> None:
    ended = container("job", "exited", exit_code=137, detail="exited with code 137 (SIGKILL)", project="shop")
    html = render_page(
        snapshot(service("a", probe()), strangers=[ended, container("sick", health="unhealthy")])
    )
    words = text_of(html)
    assert "Other containers 2 containers outside the catalog: 1 exited, 1 unhealthy" in words
    assert words.index("sick") < words.index("job")
    assert "project shop" in words
    assert 'class="container unwatched"' in html
    assert "<details" not in html
    assert "Other containers" not in said(service("a", probe()))


def test_many_strangers_are_folded_and_capped() -> None:
    html = render_page(snapshot(strangers=[container(f"s-{n}") for n in range(140)]))
    assert "<summary>" in html
    assert html.count('class="container') == 100
    assert "40 more containers in the same or better state not shown" in text_of(html)


def test_docker_is_told_of_and_loudly_when_it_is_away() -> None:
    words = said(service("a", probe()), docker=docker(sources={"cgroup": 1200, "api": 2, "none": 0}))
    assert "Docker 27.3.1 at unix:///var/run/docker.sock answers." in words
    assert "measured by cgroup files (1,200), the engine's statistics (2)." in words
    assert "The state of all containers is unknown" not in words
    error = "the Docker engine at unix:///x has no socket there"
    html = render_page(snapshot(docker=docker(up=False, version="", error=error)))
    verdict = html[html.index('id="verdict"') : html.index('class="summary"')]
    assert (
        "The Docker engine at unix:///x has no socket there. The state of all containers is unknown."
        in verdict
    )
    assert "does not answer" in html[html.index("<footer>") :]
    assert "Docker" not in said(service("a", probe()))


def test_volumes_that_fill_up_are_named_at_the_top() -> None:
    volumes = [
        volume("half", 0.5),
        volume("brim", 0.98),
        volume("tight", 0.93),
        volume("away", None),
        volume("crumbs", 0.1, files=1000, files_free=50, backup=backup()),
    ]
    html = render_page(snapshot(volumes=volumes))
    verdict = text_of("<main" + html[html.index('id="verdict"') : html.index('class="summary"')])
    assert "Volume brim is full, crumbs is nearly full, tight is nearly full" in verdict
    assert "half" not in verdict
    words = text_of(html)
    for expected in (
        "50 GiB of 100 GiB free",
        "50 more files",
        "not visible",
        "/volumes/half",
        "Last good backup 3 h ago",
    ):
        assert expected in words
    assert "Volumes" not in said(service("a", probe()))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"store_version": "17.2", "store_role": "primary"}, "version 17.2 · primary"),
        ({"store_replicas": 2, "store_replication_lag": 0.4}, "2 replicas, the furthest 400 ms behind"),
        ({"store_role": "replica", "store_replication_lag": 75.0}, "replica · 1 min behind its primary"),
        ({"store_connections": 12, "store_connections_max": 100}, "12 of 100 connections"),
        ({"store_connections": 1}, "1 connection"),
        ({"store_size": 3 * 2**30, "store_wal_size": 2**20}, "3 GiB · write-ahead log 1 MiB"),
        ({"store_integrity_ok": 1, "store_integrity_checked_at": NOW - 7200}, "integrity checked, 2 h ago"),
        ({"store_integrity_ok": 0}, "The integrity check found damage"),
    ],
)
def test_a_store_tells_what_its_probe_found(facts: dict[str, Any], words: str) -> None:
    html = render_page(snapshot(service("db", probe(facts=facts), kind="store")))
    assert words in text_of(html)
    assert ('class="warn"' in html) == ("damage" in words)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"store_connections": 95, "store_connections_max": 100}, "95 of 100 connections"),
        ({"store_replication_connected": 0}, "It is not connected to its primary"),
        ({"store_writes_refused": "memory"}, "It refuses writes: its memory limit is reached"),
    ],
)
def test_what_is_wrong_with_a_store_that_answers_is_a_warning(facts: dict[str, Any], words: str) -> None:
    html = render_page(snapshot(service("db", probe(facts=facts), kind="store")))
    assert 'class="warn"' in html
    assert words in text_of(html)


@pytest.mark.parametrize(
    ("given", "words", "warns"),
    [
        (backup(), "Last good backup 3 h ago, 1 GiB", False),
        (backup(drill_success=True), "1 GiB, restore drill passed", False),
        (backup("failed", detail="the last run failed: disk full"), "the last run failed: disk full", True),
        (
            backup("missing", last_success=None, detail="no backup yet"),
            "Backup: no backup yet",
            True,
        ),
        (backup("unreadable", last_success=None, detail="no JSON"), "Backup: no JSON", True),
        (backup("unknown", last_success=None, detail="x"), "Backup not checked yet", False),
    ],
)
def test_a_backup_is_a_quiet_line_or_a_warning(given: dict[str, Any], words: str, warns: bool) -> None:
    html = render_page(snapshot(service("db", probe(), backup=given, kind="store")))
    assert words in text_of(html)
    assert ('class="warn"' in html) == warns


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (300 * 2**20, "300 MiB"),
        (2**60, "1,024 PiB"),
    ],
)
def test_sizes_are_in_the_units_of_the_catalog(count: int, words: str) -> None:
    assert size(count) == words


def test_numbers_keep_three_digits_and_no_powers_of_ten() -> None:
    assert [short(n) for n in (0, 0.001, 0.004, 0.0123, 0.5, 12.34, 99.96, 1234.5)] == [
        "0",
        "<0.01",
        "<0.01",
        "0.0123",
        "0.5",
        "12.3",
        "100",
        "1,234",
    ]


def test_a_container_that_was_replaced_is_no_alarm_and_stands_last() -> None:
    old = container("old", "exited", exit_code=1, detail="exited with code 1", old=True)
    html = render_page(snapshot(service("a", state="up", containers=[old, container("new")])))
    assert html.index(">new<") < html.index(">old<")
    assert 'class="container unwatched"' in html
    assert "replaced by a newer container; exited with code 1" in text_of(html)
    assert "state taken from its container" in text_of(html)


@pytest.mark.parametrize(
    ("wanted", "runs", "words"),
    [
        (1, 0, "Its container is not running"),
        (3, 2, "2 of 3 containers are running"),
        (3, 3, None),
        (1, 2, None),
        (0, 0, None),
        (None, 0, None),
        (1, None, None),
    ],
)
def test_fewer_containers_than_must_run_are_told_of(
    wanted: int | None, runs: int | None, words: str | None
) -> None:
    """Check a probed service, too: all its probes may reach the only replica that is left."""
    html = text_of(
        render_page(snapshot(service("a", probe(), containers_wanted=wanted, containers_running=runs)))
    )
    assert (
        (words in html) if words else ("is not running" not in html and " containers are running" not in html)
    )


def test_a_service_without_any_container_says_so() -> None:
    html = text_of(
        render_page(snapshot(service("a", state="down", containers_wanted=1, containers_running=0)))
    )
    assert "No probes and no containers" in html
