"""What goes to another host: the words without places of this one, and the files that they need."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from exporter.host.site import HANDED_OVER
from exporter.host.ssh import is_elsewhere, packed, quoted, there
from tests.host.places import CATALOG, make_site

ARGUMENTS = {
    ("status", "-e", "far", "--json"): ("status", "--json"),
    ("status", "-efar", "--config=c.yaml", "-c", "d.yaml", "--root", "/x"): ("status",),
    ("deploy", "--environment=far", "web", "--tag", "v1"): ("deploy", "web", "--tag", "v1"),
    ("compose", "-e", "far", "--", "exec", "-e", "A=b", "web", "sh", "-c", "id"): (
        *("compose", "--", "exec", "-e", "A=b", "web", "sh", "-c", "id"),
    ),
}


@pytest.mark.parametrize(("arguments", "words"), ARGUMENTS.items())
def test_places_of_this_host_stay_here(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert there(arguments) == ([*words], None)


@pytest.mark.parametrize("given", [("--from-file", "a b"), ("--from-file=a b",)])
def test_a_file_of_this_host_goes_along_as_input(given: tuple[str, ...]) -> None:
    words, file = there(("secrets", "create", "token", *given))
    assert words == ["secrets", "create", "token", "--from-file", "-"]
    assert file == Path("a b")
    assert there(("secrets", "create", "--from-file", "-")) == (
        ["secrets", "create", "--from-file", "-"],
        None,
    )


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_any_shell_gives_the_words_back(shell: str) -> None:
    words = ["a b", "it's", "$(id)", "`id`", "", "*", "\\", "a\nb", '"']
    said = subprocess.run(
        [shell, "-c", f"printf '%s\\0' {quoted(words)}"], capture_output=True, check=True, text=True
    ).stdout
    assert said.split("\0")[:-1] == words


def test_what_goes_along(tmp_path: Path) -> None:
    catalog = CATALOG + "backup: {encrypt: {recipient_file: ./a key/backup.pub}}\n"
    (tmp_path / "a key").mkdir()
    (tmp_path / "a key/backup.pub").write_text("age1")
    site = make_site(tmp_path, "far", catalog)
    assert is_elsewhere(site)
    assert not is_elsewhere(make_site(tmp_path / "other"))
    with packed(site) as stream, tarfile.open(fileobj=stream) as archive:
        names = set(archive.getnames())
    assert {
        HANDED_OVER,
        "config.yaml",
        "a key/backup.pub",
        "deploy/far/compose.yaml",
        "deploy/far/.env",
    } <= names
    assert "scripts/status.sh" in names
    assert not any(name.startswith(("deploy/staging", "state", "secrets")) for name in names)


def test_the_daemons_key_elsewhere_is_the_hosts(tmp_path: Path) -> None:
    for path in ("/etc/key.pub", "../key.pub"):
        site = make_site(
            tmp_path / "s", "far", CATALOG + f"backup: {{encrypt: {{recipient_file: {path}}}}}\n"
        )
        (tmp_path / "key.pub").touch()
        with packed(site) as stream, tarfile.open(fileobj=stream) as archive:
            assert not any("key.pub" in name for name in archive.getnames())
