"""Files that are not catalogs: each gives one clear line, and no file can harm the process that reads it."""

from __future__ import annotations

import time
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
    "empty": (b"", "config.yaml:1:1: is empty; a catalog names at least a project and its services"),
    "only comments": (
        b"# later\n",
        "config.yaml:1:1: is empty; a catalog names at least a project and its services",
    ),
    "text": (b"hello\n", "config.yaml:1:1: is not a mapping of keys to values"),
    "a list": (b"- web\n", "config.yaml:1:1: is not a mapping of keys to values"),
    "two documents": (
        b"project: a\n---\nproject: b\n",
        "config.yaml:2:1: a second document begins here; a catalog is one document",
    ),
    "not YAML": (
        b"project: [shop\n",
        "config.yaml:2:1: is not YAML: expected , or ] here; the [ on line 1, column 10 is not closed",
    ),
    "a tab": (
        b"project: a\n\tservices: b\n",
        "config.yaml:2:1: is not YAML: a tab cannot indent; use spaces",
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
    "100,000 brackets": (
        b"a: " + b"[" * 100_000,
        "config.yaml:1:1003: is not YAML: the brackets are nested too deep",
    ),
    "100 brackets": (b"a: " + b"[" * 100, "config.yaml:1:67: is nested more than 64 levels deep"),
    "only null": (b"~\n", "config.yaml:1:1: is empty; a catalog names at least a project and its services"),
    "an open brace": (
        b"a: {b: 1\nc: 2\n",
        "config.yaml:2:2: is not YAML: expected , or } here; the { on line 1, column 4 is not closed",
    ),
    "a brace that a comment left open": (
        b"a: {b: #x}\nc: 2\n",
        (
            "config.yaml:2:2: is not YAML: expected , or } here; the { on line 1, column 4 is not closed, "
            'or "#x" began a comment and belongs in quotes'
        ),
    ),
    "an open bracket at the end": (
        b"a:\n  b: {c: 1, d: #e}\n",
        (
            "config.yaml:3:1: is not YAML: expected a value or } here; the { on line 2, column 6 is not closed, "
            'or "#e" began a comment and belongs in quotes'
        ),
    ),
    "an open list with nothing in it": (
        b"a: [\n",
        "config.yaml:2:1: is not YAML: expected a value or ] here; the [ on line 1, column 4 is not closed",
    ),
    "an open quote": (b'a: "b\nc: 2\n', "config.yaml:1:4: is not YAML: this quote is not closed"),
    "text that cannot begin so": (
        b"a: @b\n",
        "config.yaml:1:4: is not YAML: text cannot begin with @; write it in quotes",
    ),
    "a colon in text": (
        b"a: b: c\n",
        (
            'config.yaml:1:5: is not YAML: a key or ": " cannot stand here; check the indentation, '
            'and write text that holds ": " in quotes'
        ),
    ),
    "a C1 control character": (
        b"a: \xc2\x9b31m\n",
        "config.yaml:1:4: is not YAML: control characters are not allowed",
    ),
    "a NUL": (b"a: b\nc: \0\n", "config.yaml:2:4: is not YAML: control characters are not allowed"),
    "UTF-16": ("a: b\n".encode("utf-16"), "config.yaml:1:1: is UTF-16; save it as UTF-8"),
    "UTF-16 without a mark": (
        "a: b\n".encode("utf-16-le"),
        "config.yaml:1:2: is not YAML: control characters are not allowed",
    ),
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


HUGE = {
    "a number of 200,000 digits": b"project: shop\nservices: {web: {port: " + b"9" * 200_000 + b"}}\n",
    "a hexadecimal port of 4,000 digits": b"project: shop\nservices: {web: {port: 0x" + b"f" * 4000 + b"}}\n",
    "digits in every kind of text": b"".join(
        (
            b"project: shop\nservices: {web: {image: w, port: 80, replicas: %b, slo: '%b%%', stop_grace: '%bs',",
            b" resources: {cpu: %b, memory: '%bMi'}, health: {status: '%b', url: 'http://w:%b/'}}}\n",
            b"exporter: {listen: '0.0.0.0:%b'}\nvolumes: {data: {backup: '%b 3 * * *'}}\n",
        )
    )
    % ((b"9" * 20_000,) * 9),
    "20,000 unknown keys": b"project: shop\nservices:\n  web:\n    image: web\n"
    + b"".join(b"    key%d: 1\n" % number for number in range(20_000)),
    "20,000 unknown owners": b"project: shop\nservices:\n"
    + b"".join(b"  s%d: {image: web, owner: o%d}\n" % (number, number) for number in range(20_000)),
    "100,000 brackets": b"a: " + b"[" * 100_000,
    "100,000 braces": b"{a: " * 100_000,
    "a long key": b"project: shop\n" + b"k" * 1000 + b": 1\n",
    "merged over and over": b"a: &a {" + b"".join(b"k%d: 1, " % number for number in range(5000)) + b"}\n"
    b"b: [" + b"{<<: *a}, " * 2000 + b"]\n",
}


@pytest.mark.parametrize("content", HUGE.values(), ids=HUGE)
def test_what_is_huge_ends_in_time_and_in_short_lines(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_bytes(content)
    began = time.process_time()
    lines = mistakes("config.yaml")
    assert time.process_time() - began < 15
    assert len(lines) <= 101
    assert all(len(line) < 500 for line in lines)


def test_a_hundred_problems_are_shown(write: Write) -> None:
    lines = mistakes(write("".join(f"key{number}: 1\n" for number in range(250))))
    assert len(lines) == 101
    assert lines[0].startswith("config.yaml:2:1: key0: unknown key")
    assert lines[-1] == "and 150 more"


def test_what_a_terminal_would_obey_is_shown_as_an_escape(write: Write) -> None:
    path = write(
        """
        services:
          web:
            image: web
            port: 80
            "a\\e[31mb": 1
            health: "\\u202e/x"
            "\\x9b31m": 1
            restart: "\\e]0;x\\a"
            logs: {patterns: {x: "(\\e[2J"}}
        """
    )
    lines = mistakes(path)
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
    assert lines[0].startswith(r'config.yaml:6:5: services.web."a\x1b[31mb": unknown key')


def test_line_ends_of_windows_keep_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_bytes(b"project: shop\r\nservices:\r\n  web: {image: web, prt: 80}\r\n")
    [line] = mistakes("config.yaml")
    assert line == 'config.yaml:3:21: services.web.prt: unknown key; did you mean "port"?'


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
