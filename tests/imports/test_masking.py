"""Secrets in foreign text become references; what is none stays as it is."""

from __future__ import annotations

import pytest

from exporter.imports.masking import masked, masked_words, secret_name


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("redis-server --requirepass hunter2", "redis-server --requirepass <REQUIREPASS>"),
        ("postgres://u:hunter2@db/x?sslmode=off", "postgres://u:<PASSWORD>@db/x?sslmode=off"),
        ('{"user":"a","password": "hunter2"}', '{"user":"a","password": "<PASSWORD>"}'),
        ("curl -H 'Authorization: Bearer hunter2' x", "curl -H 'Authorization: Bearer <AUTHORIZATION>' x"),
        ("GET /x?token=hunter2&y=1", "GET /x?token=<TOKEN>&y=1"),
        ("a b password=hunter2; c", "a b password=<PASSWORD>; c"),
        ("AUTH PLAIN hunter2\r", "AUTH <PASSWORD>\r"),
        ("x ghp_abcdefghijklmnopqrstuvwxyz0123456789", "x <TOKEN>"),
        ("--api-key=hunter2 --secret hunter2", "--api-key=<API_KEY> --secret <SECRET>"),
        # References, files, switches and words are no secrets.
        ("--x $PASSWORD password=$PASSWORD", "--x $PASSWORD password=$PASSWORD"),
        ("redis://:${PASSWORD}@cache", "redis://:${PASSWORD}@cache"),
        (
            "--tls-key-file /etc/x --password-file=/run/secrets/x",
            "--tls-key-file /etc/x --password-file=/run/secrets/x",
        ),
        ("the password is set; token: true", "the password is set; token: true"),
        ("pg_isready -U shop -d shop", "pg_isready -U shop -d shop"),
        ("http://proxy:8080/ok", "http://proxy:8080/ok"),
        ("", ""),
    ],
    ids=repr,
)
def test_text(text: str, result: str) -> None:
    assert masked(text, lambda name: f"<{name}>") == result


def test_the_rest_goes_through_the_writers_own_escapes() -> None:
    found = masked(
        "a $ password=hunter2 $ b", lambda name: f"${{{name}}}", lambda text: text.replace("$", "$$")
    )
    assert found == "a $$ password=${PASSWORD} $$ b"


def test_a_value_may_be_the_word_after_its_option() -> None:
    words = [
        "serve",
        "--requirepass",
        "hunter2",
        "--key",
        "/x/y",
        "--token",
        "--port",
        "1",
        "--password=hunter2",
    ]
    assert masked_words(words, lambda name: f"<{name}>") == [
        *("serve", "--requirepass", "<REQUIREPASS>", "--key", "/x/y", "--token", "--port", "1"),
        "--password=<PASSWORD>",
    ]


@pytest.mark.parametrize(
    "text", ["a" * 8192, "-a" * 4096, "a:" * 4096, "eyJ" * 2700, "a " * 4096, "a://" * 2000, "--a " * 2000]
)
@pytest.mark.timeout(20)
def test_hostile_text_takes_no_time(text: str) -> None:
    assert masked(text, lambda _: "<>") == text


def test_names_of_variables() -> None:
    assert secret_name("web.1", "x-api-key") == "WEB_1_X_API_KEY"
    assert secret_name("1st") == "SECRET_1ST"
    assert secret_name("…") == "SECRET"
