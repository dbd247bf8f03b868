"""`exporter init` with hostile input: one sentence or a catalog, nothing overwritten, and no secret in any of it."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.imports import writing
from exporter.imports.project import SourceError
from tests.imports.files import write
from tests.imports.test_init import SHOP, run

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_SECONDS = 2.0


def service(keys: str, more: str = "") -> str:
    return f"services:\n  a:\n    image: x\n    {keys}\n{more}"


SECRETS = {
    "label": service("labels: {app.token: hunter2}"),
    "label of Traefik": service("labels: ['traefik.http.middlewares.a.basicauth.users=me:hunter2']"),
    "argument of a build": service(
        "build: {context: ., args: [TOKEN=hunter2, 'NPM=//r/:_authToken=hunter2']}"
    ),
    "option of a log driver": service("logging: {driver: splunk, options: {splunk-token: hunter2}}"),
    "option of a volume": service(
        "volumes: ['v:/x']", "volumes: {v: {driver_opts: {o: 'password=hunter2', device: //u:hunter2@h/x}}}"
    ),
    "option of a network": service(
        "networks: [n]", "networks: {n: {driver: x, driver_opts: {key: hunter2}}}"
    ),
    "passed through": service("annotations: {password: hunter2}"),
    "hook": service("post_start: [{command: x --password hunter2, environment: {TOKEN: hunter2}}]"),
    "address of a MySQL server": service("environment: {DSN: 'u:hunter2@tcp(db:3306)/x'}"),
    "token as a user": service("environment: {DSN: 'https://hunter2@sentry.example/1'}"),
    "webhook": service("environment: {URL: 'https://hooks.slack.com/services/T0/B0/hunter2'}"),
    "default of a part": service("environment: {URL: 'postgres://u:${PW:-hunter2}@h/x'}"),
    "default of two parts": service("environment: {URL: 'postgres://${US:-u:hunter2}@h/x'}"),
    "default of a label": service("labels: {token: '${T:-hunter2}'}"),
    "curl": service("command: curl -u me:hunter2 -b session=hunter2 http://h/"),
    "curl in words": service("command: [curl, --user, 'me:hunter2', http://h/]"),
    "mysqladmin": service("healthcheck: {test: mysqladmin ping -uroot -phunter2}"),
    "mysqladmin in words": service("healthcheck: {test: [CMD, mysqladmin, -phunter2, ping]}"),
    "redis-cli": service("healthcheck: {test: [CMD, redis-cli, -a, hunter2, ping]}"),
    "value in quotes": service("""command: "x --password='a hunter2' --masterauth hunter2" """),
    "word with spaces": service("command: [x, 'PASSWORD=a hunter2']"),
    "tag": service("environment: {PASSWORD: !hunter2 x}"),
}


@pytest.mark.parametrize("format_", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("case", SECRETS)
def test_no_secret_leaves_the_file(
    case: str, format_: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"compose.yaml": SECRETS[case]})
    result = run(tmp_path, monkeypatch, "--own", *format_)
    assert result.exit_code == 0, result.output
    assert "hunter2" not in result.output + (tmp_path / "config.yaml").read_text()


ODD = {
    "infinitely many processors": service("cpus: .inf\n    pids_limit: inf"),
    "no number of processors": service("cpus: .nan"),
    "a very large number of replicas": service(f"deploy: {{replicas: {'9' * 30}}}"),
    "digits of another script": service("scale: '\u00b2'"),
    "a port that is no port": service(f"healthcheck: {{test: nc -z localhost {'9' * 5000}}}"),
    "a port beyond all": service("healthcheck: {test: echo > /dev/tcp/localhost/70000}"),
    "a port of a label": service(f"environment: {{VIRTUAL_PORT: '{'9' * 5000}'}}"),
    "a header without a name": service("healthcheck: {test: \"curl -fH ': z' http://localhost/\"}"),
    "dollars in defaults": service(
        "environment: {A: '${A:-${B:-$$x}}', B: '${A:-${B:-x}$$}', C: '$${A}', D: a$, E: '${A:-${B:-}$${x}'}"
    ),
    "dollars in a login": (
        "services: {a: {image: postgres, environment: "
        "{POSTGRES_USER: '$${x', POSTGRES_DB: '$${x', POSTGRES_PASSWORD: '$${x'}}}"
    ),
    "names that differ in signs": "services: {a.b: {image: x}, a_b: {image: x}, A-B: {image: x}, a--b: {image: x}}",
    "names that differ in case": "services: {DB: {image: postgres}, db: {image: x, depends_on: [DB]}}",
    "escape sequences": service('command: "a\\e[2J\\u202e"\n    labels: {"\\e[2J": "\\u2066"}'),
}


@pytest.mark.parametrize("own", [(), ("--own",)], ids=["watched", "owned"])
@pytest.mark.parametrize("case", ODD)
def test_odd_values_become_a_valid_catalog(
    case: str, own: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"compose.yaml": ODD[case]})
    result = run(tmp_path, monkeypatch, *own)
    assert result.exit_code == 0, result.output
    text = (tmp_path / "config.yaml").read_text()
    assert all(line.isprintable() for line in [*text.splitlines(), *result.output.splitlines()])
    assert yaml.safe_load(text)["project"]


LARGE = {
    "a long command": (service(f"command: {'a' * 500_000}"), 2),
    "a long variable": (service(f"environment: {{A: {'eyJ' * 250_000}}}"), 0),
    "a long name": (service(f"labels: [{'a-' * 400_000}=x]"), 0),
    "many mistakes": ("services:\n" + "".join(f"  s{i}: {{image: [x]}}\n" for i in range(2000)), 2),
    "many names that are none": (
        "services:\n" + "".join(f"  -{'+' * i}: {{image: x}}\n" for i in range(400)),
        1,
    ),
}


@pytest.mark.parametrize("case", LARGE)
def test_large_input_takes_little_time(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, status = LARGE[case]
    write(tmp_path, {"compose.yaml": text})
    run(tmp_path, monkeypatch, "--dry-run", "none")  # what it imports is not measured
    began = time.process_time()
    result = run(tmp_path, monkeypatch)
    took = time.process_time() - began
    assert result.exit_code == status, result.output[:2000]
    assert took < LIMIT_SECONDS, f"{took:.1f} s"
    assert len(result.output.splitlines()) < 1000


TARGETS = {
    "": "already exists",
    "/": "already exists",
    "/dev/null": "already exists",
    "none/config.yaml": "cannot be written: No such file",
    "compose.yaml/x": "cannot be written: Not a directory",
    "a" * 300: "cannot be written: File name too long",
    "link": "already exists",
}


@pytest.mark.parametrize("out", TARGETS, ids=lambda out: repr(out)[:20])
def test_what_cannot_be_written(out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"compose.yaml": SHOP})
    (tmp_path / "link").symlink_to("nowhere")
    result = run(tmp_path, monkeypatch, "--out", out)
    assert result.exit_code == 2, result.output
    assert TARGETS[out] in result.output
    assert sorted(file.name for file in tmp_path.iterdir()) == ["compose.yaml", "link"]


@pytest.mark.parametrize(
    "source", ["a" * 300, "a\0b", "compose.yaml/x"], ids=lambda source: repr(source)[:20]
)
def test_a_source_that_is_no_path(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"compose.yaml": SHOP})
    result = run(tmp_path, monkeypatch, "--from", source)
    assert result.exit_code == 2, result.output
    assert len(result.output.splitlines()) == 1


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("exporter.imports.writing.os.link", link)
    writing.write_new(tmp_path / "config.yaml", "mine")
    with pytest.raises(SourceError, match="already exists"):
        writing.write_new(tmp_path / "config.yaml", "other")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("config.yaml", "mine")]


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write(tmp_path, {"compose.yaml": SHOP})
    monkeypatch.setattr("exporter.imports.writing.os.fsync", full)
    result = run(tmp_path, monkeypatch)
    assert result.exit_code == 2
    assert "config.yaml: cannot be written: No space left on device" in result.output
    assert [file.name for file in tmp_path.iterdir()] == ["compose.yaml"]


def test_the_next_command_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"compose.yaml": SHOP})
    result = run(tmp_path, monkeypatch, "--out", "my catalog.yaml")
    assert "Next: exporter run --config 'my catalog.yaml'" in result.output
