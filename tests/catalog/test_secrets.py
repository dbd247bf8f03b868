"""Secrets are references: a catalog, an error, a plan or a pickle never contains their values."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_catalog, load_plan
from exporter.catalog.planning import secret_paths
from exporter.catalog.planning.specs import BasicAuth, HttpSpec
from exporter.catalog.values.secret_text import SecretText
from tests.catalog.doors import mistakes, spec, validated

if TYPE_CHECKING:
    from tests.catalog.doors import Write

VALUE = "hunter2-of-the-test"


def catalog(token: str, source: str = "{}") -> str:
    web = f"{{image: web, port: 80, health: {{bearer_token: {token}}}}}"
    return f"services: {{web: {web}}}\nsecrets: {{token: {source}}}\n"


def token_of(path: str) -> SecretText:
    found = spec(path, "health")
    assert isinstance(found, HttpSpec)
    assert found.bearer_token is not None
    return found.bearer_token


@pytest.fixture(autouse=True)
def _no_mounted_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_paths, "RUN_SECRETS", tmp_path / "run-secrets")
    monkeypatch.delenv("TOKEN_FILE", raising=False)
    monkeypatch.delenv("SECRETS_FOLDER", raising=False)


SOURCES = {
    "a variable": ("${TOKEN}", "{}", {"TOKEN": VALUE}, {}),
    "a variable, long": ("{env: TOKEN}", "{}", {"TOKEN": VALUE}, {}),
    "a file beside the catalog": ("{file: ./token}", "{}", {}, {"token": VALUE + "\n"}),
    "a name, from its usual file": ("{secret: token}", "{}", {}, {"secrets/token": VALUE}),
    "a name, from a file": ("{secret: token}", "{file: other}", {}, {"other": VALUE}),
    "a name, from a variable": ("{secret: token}", "{env: OTHER}", {"OTHER": VALUE}, {}),
    "a name, generated": ("{secret: token}", "{generate: 32}", {}, {"secrets/token": VALUE}),
    "a name, where Docker mounts it": (
        "{secret: token}",
        "{file: x}",
        {},
        {"run-secrets/token": VALUE, "x": "old"},
    ),
    "a name, where the scripts have it": (
        "{secret: token}",
        "{file: x}",
        {"SECRETS_FOLDER": "of the host"},
        {"of the host/token": VALUE, "x": "old"},
    ),
    "a name, where NAME_FILE says": (
        "{secret: token}",
        "{env: OTHER}",
        {"TOKEN_FILE": "mounted", "OTHER": "old"},
        {"mounted": VALUE, "run-secrets/token": "old"},
    ),
}


@pytest.mark.parametrize(("token", "source", "variables", "files"), SOURCES.values(), ids=SOURCES)
def test_where_a_secret_is_read(
    token: str,
    source: str,
    variables: dict[str, str],
    files: dict[str, str],
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quoted = f'"{token}"' if token.startswith("$") else token
    path = write(catalog(quoted, source))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for file, text in files.items():
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text(text, encoding="utf-8")
    assert token_of(path).read() == VALUE
    plan = load_plan(path)
    assert VALUE not in repr(plan)
    assert VALUE.encode() not in pickle.dumps(plan)
    assert VALUE not in repr(load_catalog(path))


def test_references_inside_longer_text(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER_NAME", "me")
    monkeypatch.setenv("PASS", VALUE)
    path = write(
        """
        services:
          web:
            image: web
            port: 80
            health:
              headers: {Authorization: "Token ${USER_NAME}:${PASS}$${x}", Accept: text/plain}
              send: '{"key": "${PASS}"}'
              basic_auth: {username: me, password: "${PASS}"}
              proxy: http://me:${PASS}@proxy:3128
        """
    )
    found = spec(path, "health")
    assert isinstance(found, HttpSpec)
    [(_, authorization), (_, accept)] = found.headers
    assert isinstance(authorization, SecretText)
    assert authorization.read() == f"Token me:{VALUE}${{x}}"
    assert accept == "text/plain"
    assert isinstance(found.body, SecretText)
    assert found.body.read() == f'{{"key": "{VALUE}"}}'
    assert isinstance(found.basic_auth, BasicAuth)
    assert found.basic_auth.password.read() == VALUE
    assert isinstance(found.proxy, SecretText)
    assert found.proxy.read() == f"http://me:{VALUE}@proxy:3128"
    assert VALUE not in repr(load_plan(path))


def test_validation_does_not_ask_for_values(write: Write) -> None:
    assert validated(write(catalog('"${NOT_SET_IN_CI}"')))["default"].project == "shop"
    assert mistakes("config.yaml") == [
        "config.yaml:2:49: services.web.health.bearer_token: environment variable NOT_SET_IN_CI is not set"
    ]


def test_every_unreadable_secret_is_shown_with_its_place(write: Write, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    path = write(
        """
        services:
          web: {image: web, port: 80, health: {bearer_token: {secret: token}}}
          api: {image: api, port: 81, health: {headers: {X-Key: {file: binary}}}}
          job: {image: job, secrets: token, environment: {KEY: "${NOT_READ_BY_THE_DAEMON}"}}
        secrets: {token: }
        """
    )
    assert mistakes(path) == [
        (
            f"config.yaml:3:40: services.web.health.bearer_token: "
            f"secret file {tmp_path}/secrets/token cannot be read: No such file or directory"
        ),
        f"config.yaml:4:50: services.api.health.headers.X-Key: secret file {tmp_path}/binary is not UTF-8 text",
    ]
