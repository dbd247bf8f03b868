"""Warnings about values that are valid but most likely unintended: reported once, without the value, never refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from exporter.catalog.reading.warnings import is_secret_name
from exporter.cli import app
from tests.catalog.doors import warned

if TYPE_CHECKING:
    from tests.catalog.doors import Write

WRITTEN_OUT = {
    "a parameter of a path": ('health: "/x?a=b&token=hunter2"', "services.web.health", "token"),
    "a parameter of a URL": ("health: 'http://w/?api_key=hunter2'", "services.web.health", "api_key"),
    "a variable": (
        "environment: {DB_PASSWORD: hunter2}",
        "services.web.environment.DB_PASSWORD",
        "DB_PASSWORD",
    ),
    "the default of a variable": (
        "environment: {API_TOKEN: '${T:-hunter2}'}",
        "services.web.environment.API_TOKEN",
        "API_TOKEN",
    ),
    "a header": (
        "health: {headers: {X-My-Token: hunter2}}",
        "services.web.health.headers.X-My-Token",
        "X-My-Token",
    ),
    "a build argument": (
        "build: {context: ., arguments: {NPM_TOKEN: hunter2}}",
        "services.web.build.arguments.NPM_TOKEN",
        "NPM_TOKEN",
    ),
    "an option": ("command: [serve, --password=hunter2]", "services.web.command[1]", "password"),
    "a value that shows it": (
        "environment: {GITHUB: ghp_hunter2hunter2hunter2hunter2hunter2hunt}",
        "services.web.environment.GITHUB",
        "GITHUB",
    ),
}


@pytest.mark.parametrize(("keys", "path", "name"), WRITTEN_OUT.values(), ids=WRITTEN_OUT)
def test_a_secret_that_is_written_out(write: Write, keys: str, path: str, name: str) -> None:
    catalog = f"services: {{web: {{image: 'w:1', port: 80, {keys}}}}}\n"
    [line] = warned(write(catalog))
    assert line.startswith("config.yaml:2:")
    assert f": {path}: " in line
    assert f'"{name}" looks like a secret' in line
    assert "hunter2" not in line
    assert warned(write(f"not_secret: [{name}]\n{catalog}")) == []


@pytest.mark.parametrize(
    "keys",
    [
        'health: "/x?token=${TOKEN}"',
        "environment: {DB_PASSWORD: '${DB_PASSWORD}', TOKEN_TTL: 5m, PUBLIC_KEY: abc, KEY_FILE: /x, TOKENIZER: a}",
        "environment: {PASSWORD: {secret: db}, DEBUG_TOKEN: '', SECRET: off}",
        "command: ['--token=${TOKEN}', --keys=3, --key=/etc/tls/x.pem, --auth=basic]",
        'health: {headers: {Authorization: "Bearer ${TOKEN}"}}',
    ],
)
def test_what_is_no_secret(write: Write, keys: str) -> None:
    path = write(f"services: {{web: {{image: 'w:1', port: 80, {keys}}}}}\nsecrets: {{db: }}\n")
    assert warned(path) == []


@pytest.mark.parametrize(
    ("store", "is_warned"),
    [
        ("{engine: mysql, password: {secret: pass}}", True),
        ("{engine: mysql, password: {secret: pass}, tls: {verify: false}}", False),
        ("{engine: mysql}", False),
        ("{engine: mariadb, password: {secret: pass}}", False),
    ],
)
def test_mysql_asks_for_its_password_over_tls_only(store: str, is_warned: bool, write: Write) -> None:
    found = warned(write(f"stores: {{db: {store}}}\nsecrets: {{pass: }}\n"))
    assert ["tls: {verify: false}" in str(warning) for warning in found] == [True] * is_warned


def test_a_warning_says_which_environments_it_is_of(write: Write) -> None:
    path = write(
        """
        services: {web: {image: "w:1", port: 80}}
        environments:
          test:
          production: {services: {web: {environment: {TOKEN: hunter2}}}}
        """
    )
    [line] = warned(path)
    assert line.startswith("config.yaml:5:47: environments.production.services.web.environment.TOKEN: ")


def test_a_comment_that_may_have_been_text(write: Write) -> None:
    path = write("services:\n  web:\n    image: #web\n    port: 80\n")
    assert warned(path) == [
        (
            'config.yaml:4:5: services.web.image: is empty, since "#web" begins a comment; '
            "text that begins with # needs quotes"
        )
    ]
    assert warned(write("services:\n  web:\n    port: 80\n    image: # later\n")) == []


def test_validate_and_gen_print_warnings_and_go_on(write: Write) -> None:
    path = write("services: {web: {image: 'w:1', port: 80, health: '/x?token=hunter2'}}\n")
    run = CliRunner()
    validate = run.invoke(app, ["validate", path])
    gen = run.invoke(app, ["gen", "--config", path, "--out", "out"])
    told = json.loads(run.invoke(app, ["validate", path, "--json"]).stdout)
    assert (validate.exit_code, gen.exit_code, told["valid"]) == (0, 0, True)
    [line] = validate.stderr.splitlines()
    assert line.startswith('config.yaml:2:42: services.web.health: warning: "token" looks like a secret')
    assert gen.stderr.splitlines() == [line]
    [warning] = told["warnings"]
    assert (warning["line"], warning["column"], warning["path"]) == (2, 42, "services.web.health")


SECRETS = (
    "apiKey API_KEY X-Auth-Token dbPassword sig client_secret PGPASSWORD authtoken ACCESSKEY DB_USER_PASSWORD "
    "COOKIE_SECRET SECRET_KEY_BASE TOKEN2 PASSWORD_SALT REQUIREPASS DB_PASS STORE_PASSWORD spring.datasource.password"
)
NO_SECRETS = (
    "TOKEN_EXPIRY KEY_PREFIX POSTGRES_USER JWT_TOKEN_LOCATION PRIMARY_KEY SORT_KEY page_token ROUTING_KEY BY_PASS "
    "PASSWORD_VALIDATORS ALLOW_EMPTY_PASSWORD NO_AUTH AWS_ACCESS_KEY_ID TOKEN_BUCKET API_KEY_HEADER MAX_TOKENS"
)


@pytest.mark.parametrize("name", SECRETS.split())
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", NO_SECRETS.split())
def test_names_of_what_is_no_secret(name: str) -> None:
    assert not is_secret_name(name)
