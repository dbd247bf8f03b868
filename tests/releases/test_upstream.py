"""nginx' configuration while it sends requests only to some replicas."""

from __future__ import annotations

import pytest

from exporter.releases.upstream import with_addresses, workers

CONF = """    upstream web {
        zone web 128k;
        server web:8000 resolve max_fails=3 fail_timeout=30s;
    }
    upstream web-2 {
        server web-2:80 resolve;
    }
"""


def test_addresses_take_the_place_of_the_name_which_stays_down() -> None:
    changed = with_addresses(CONF, "web", ["10.0.0.2", "fd00::3"])
    assert changed == CONF.replace(
        "        server web:8000 resolve max_fails=3 fail_timeout=30s;\n",
        "        server 10.0.0.2:8000 max_fails=3 fail_timeout=30s;\n"
        "        server [fd00::3]:8000 max_fails=3 fail_timeout=30s;\n"
        "        server web:8000 resolve down;\n",
    )
    assert with_addresses(changed, "web-2", ["10.0.0.9"]) is not None


@pytest.mark.parametrize(
    ("text", "service", "addresses"),
    [
        (CONF, "api", ["10.0.0.2"]),
        (CONF, "web", []),
        ("proxy_pass http://web:8000;\n", "web", ["10.0.0.2"]),
        ("server web:8000;\n", "web", ["10.0.0.2"]),
    ],
)
def test_a_file_that_is_not_the_generated_one_is_left_alone(
    text: str, service: str, addresses: list[str]
) -> None:
    assert with_addresses(text, service, addresses) is None


def test_workers_are_known_by_their_id_also_while_they_end() -> None:
    lines = [
        "10 nginx: master process nginx -g daemon off;",
        "11 nginx: worker process",
        "12 nginx: worker process is shutting down",
        "13 tail -f x",
    ]
    assert workers(lines) == {"11", "12"}
