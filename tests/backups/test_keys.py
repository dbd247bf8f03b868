"""The backup key of a host: created once, readable only by its owner, and never shown."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from exporter.backups.keys import (
    KEY_FILE,
    Key,
    KeyMissingError,
    install_key,
    key_file,
    key_for_reading,
    make_key,
)
from exporter.backups.subjects import BackupsError
from exporter.catalog.values.names import _SECRET_NAME as SECRET_NAME
from tests.backups.folders import catalog


def test_the_first_backup_makes_it_and_the_others_use_it(tmp_path: Path) -> None:
    place = tmp_path / "secrets" / KEY_FILE
    key, made = make_key(place)
    assert made
    assert place.stat().st_mode & 0o7777 == 0o400
    assert place.parent.stat().st_mode & 0o7777 == 0o700
    assert make_key(place) == (key, False)
    assert [path.name for path in place.parent.iterdir()] == [KEY_FILE]


def test_two_at_once_have_the_same(tmp_path: Path) -> None:
    place = tmp_path / KEY_FILE
    found: list[bool] = []

    def make() -> None:
        found.append(install_key(Key(os.urandom(32)), place))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False, False, False, True]


def test_it_is_in_the_folder_of_secrets_and_no_secret_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = catalog(tmp_path)
    monkeypatch.delenv("SECRETS_FOLDER", raising=False)
    assert str(key_file(there)) == f"/etc/shop/staging/secrets/{KEY_FILE}"
    monkeypatch.setenv("SECRETS_FOLDER", "own")
    assert key_file(there) == tmp_path / "own" / KEY_FILE
    assert not SECRET_NAME.fullmatch(KEY_FILE)


@pytest.mark.parametrize(
    ("text", "mode", "sentence"),
    [
        ("", 0o400, "is not a backup key"),
        ("0" * 63, 0o400, "is not a backup key"),
        ("0" * 65, 0o400, "is not a backup key"),
        ("z" * 64, 0o400, "is not a backup key"),
        ("0" * 64, 0o440, "chmod 0400"),
        ("0" * 64, 0o604, "chmod 0400"),
    ],
)
def test_what_is_no_key_or_is_not_private_is_refused(
    tmp_path: Path, text: str, mode: int, sentence: str
) -> None:
    place = tmp_path / KEY_FILE
    place.write_text(text)
    place.chmod(mode)
    with pytest.raises(BackupsError, match=sentence) as caught:
        make_key(place)
    assert not text or text not in str(caught.value)


def test_a_new_host_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, copy = tmp_path / KEY_FILE, tmp_path / "copy"
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(KeyMissingError, match="--key FILE"):
        key_for_reading(place)
    with pytest.raises(KeyMissingError, match=str(copy)):
        key_for_reading(place, copy)
    key = Key(bytes(range(32)))
    copy.write_text(key.text().upper())
    copy.chmod(0o644)  # USB sticks have no file modes
    assert key_for_reading(place, copy) == key
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: key.text())
    assert key_for_reading(place) == key
    monkeypatch.setattr("getpass.getpass", lambda _: "no key")
    with pytest.raises(BackupsError, match="that is not a backup key"):
        key_for_reading(place)


def test_it_comes_over_ssh_as_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from exporter.host.ssh import there

    assert there(["restore", "latest", "--key", "/media/key"]) == (
        ["restore", "latest", "--key", "-"],
        Path("/media/key"),
    )
    key = Key(bytes(range(32)))
    stdin = io.TextIOWrapper(io.BytesIO(key.text().encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert key_for_reading(tmp_path / KEY_FILE, Path("-")) == key
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x")))
    with pytest.raises(BackupsError, match="standard input is not a backup key"):
        key_for_reading(tmp_path / KEY_FILE, Path("-"))


def test_it_is_never_shown(tmp_path: Path) -> None:
    key, _ = make_key(tmp_path / KEY_FILE)
    secret = key.text().strip()
    assert secret not in repr(key)
    assert secret not in key.seal(b"x")
    assert key.id not in secret
    with pytest.raises(BackupsError) as caught:
        key.check(b"x", Key(bytes(32)).seal(b"x"))
    assert secret not in str(caught.value)
