"""Files that are no catalog at all: each gives one clear line, and none can hurt the process that reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_catalog
from tests.catalog.doors import mistakes

if TYPE_CHECKING:
    from tests.catalog.doors import Write

ALIAS_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)
ALIAS_CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 5000))

FILES = {
    "empty": (b"", "config.yaml: is empty; a catalog names at least a project and its services"),
    "only comments": (
        b"# later\n",
        "config.yaml: is empty; a catalog names at least a project and its services",
    ),
    "text": (b"hello\n", "config.yaml:1:1: is not a mapping of keys to values"),
    "a list": (b"- web\n", "config.yaml:1:1: is not a mapping of keys to values"),
    "two documents": (
        b"project: a\n---\nproject: b\n",
        "config.yaml:2:1: a second document begins here; a catalog is one document",
    ),
    "not YAML": (b"project: [shop\n", "config.yaml:2:1: is not YAML: did not find expected ',' or ']'"),
    "a tab": (
        b"project: a\n\tservices: b\n",
        "config.yaml:2:1: is not YAML: found a tab character that violates indentation",
    ),
    "a control character": (
        b"project: \x07\n",
        "config.yaml:1:10: is not YAML: control characters are not allowed",
    ),
    "not UTF-8": (b"project: shop\nregistry: caf\xe9\n", "config.yaml:2:14: is not UTF-8 text"),
    "10 MB": (b"# " + b"x" * 10_000_000, "config.yaml: is larger than 5 MiB"),
    "an alias bomb": (
        ALIAS_BOMB.encode(),
        "config.yaml:6:40: aliases expand to more than 500000 values; write them out or use fewer",
    ),
    "a chain of aliases": (ALIAS_CHAIN.encode(), "config.yaml:64:12: is nested more than 64 levels deep"),
    "100,000 brackets": (b"a: " + b"[" * 100_000, "config.yaml:1:1003: is nested more than 64 levels deep"),
    "a Python object": (
        b"a: !!python/object/apply:os.system [x]\n",
        (
            'config.yaml:1:4: the tag "tag:yaml.org,2002:python/object/apply:os.system" is not known here; '
            "catalogs hold plain values"
        ),
    ),
    "an alias of nothing": (b"a: *b\n", "config.yaml:1:4: alias *b has no anchor &b before it"),
    "an alias of itself": (b"a: &a [*a]\n", "config.yaml:1:8: alias *a stands inside its own value"),
    "a list as a key": (b"? [a]\n: b\n", "config.yaml:1:3: a key must be text, not a list or a mapping"),
}


@pytest.mark.parametrize(("content", "line"), FILES.values(), ids=FILES)
def test_file(content: bytes, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_bytes(content)
    assert mistakes("config.yaml") == [line]


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert mistakes("config.yaml") == [
        "config.yaml: there is no such file; name the catalog with --config FILE"
    ]
    assert mistakes(".") == [".: cannot be read: Is a directory"]


def test_scalars_follow_yaml_1_2(write: Write) -> None:
    path = write(
        """
        services:
          web:
            image: web
            labels: {a: off, b: no, c: 5432:5432, d: 2026-01-01, e: 0o17, f: 7.10, g: 1_000, h: "true", i: +1}
        """
    )
    labels = load_catalog(path).services["web"].labels
    assert "".join(f"{key}={value} " for key, value in labels.items()) == (
        "a=off b=no c=5432:5432 d=2026-01-01 e=0o17 f=7.10 g=1_000 h=true i=+1 "
    )


def test_anchors_and_merge_keys(write: Write) -> None:
    path = write(
        """
        services:
          web: &web {image: web, port: 80, replicas: 2}
          api: {<<: *web, port: 81}
          job: {<<: [{replicas: 5}, *web]}
        """
    )
    services = load_catalog(path).services
    assert [(service.port, service.replicas) for service in services.values()] == [(80, 2), (81, 2), (80, 5)]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"\xef\xbb\xbfproject: shop\n")
    assert load_catalog(file).project == "shop"
