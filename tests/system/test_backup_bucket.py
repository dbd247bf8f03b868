"""Encrypted backups in a bucket: everything on the host is lost and restored, and incomplete ones do not count as
backups."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.components import require
from tests.system.backing_up import ENVIRONMENT
from tests.system.bucket_server import ACCESS, BUCKET, SECRET, BucketServer
from tests.system.stopped_scripts import Gate, filled_site
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.backing_up import Site

_PREFIX = "a b/"

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def server() -> Iterator[BucketServer]:
    server = BucketServer()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a folder with a private key of age, its public key, and a folder of secrets as `exporter secrets` makes
    it."""
    folder = tmp_path_factory.mktemp("keys")
    subprocess.run([require("age-keygen"), "-o", folder / "private"], check=True, capture_output=True)
    subprocess.run([require("age-keygen"), "-y", "-o", folder / "public", folder / "private"], check=True)
    (folder / "secrets").mkdir(mode=0o700)
    (folder / "secrets" / "bucket_key").write_text(f"{SECRET}\n")
    return folder


@pytest.fixture(scope="module")
def site(server: BucketServer, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    require("age")
    with filled_site(tmp_path_factory.mktemp("site")) as site:
        credentials = "access_key: '${BUCKET_ACCESS}', secret_key: {secret: bucket_key}"
        place = f'bucket: {BUCKET}, prefix: "{_PREFIX}", region: us-east-1, endpoint: "{server.endpoint}"'
        site.write(f', encrypt: {{recipient_file: "{keys / "public"}"}}, s3: {{{place}, {credentials}}}')
        yield site


@pytest.fixture
def gate(site: Site, tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate", site)


@pytest.fixture
def here(gate: Gate, keys: Path) -> dict[str, str]:
    """Return the variables of the scripts. They try only once, because retries of the library are not tested here."""
    return gate.variables(
        BUCKET_ACCESS=ACCESS,
        SECRETS_FOLDER=str(keys / "secrets"),
        BACKUP_IDENTITY_FILE=str(keys / "private"),
        AWS_MAX_ATTEMPTS="1",
    )


def lose_backups(site: Site) -> None:
    """Remove all of the host's backups, including markers."""
    shutil.rmtree(site.backups)


def test_the_host_loses_everything_and_gets_it_back_from_the_bucket(
    site: Site, server: BucketServer, gate: Gate, here: dict[str, str]
) -> None:
    before = site.contents()
    done = site.script("backup", **here)
    assert done.returncode == 0, done.stderr
    backup = done.stdout.strip()
    site.destroy()
    lose_backups(site)
    there = server.objects()
    assert {key.split("/")[2] for key in there} == {backup}
    for key, content in there.items():
        assert "manifest.json" in key or content.startswith(b"age-encryption.org"), key
    back = site.script("restore", "latest", "--yes", **here)
    assert back.returncode == 0, back.stderr
    assert f"downloading {backup}" in back.stderr
    assert site.contents() == before
    said = done.stdout + done.stderr + back.stdout + back.stderr + gate.calls()
    assert "backups upload" in said.replace("\0", " ")
    for secret in (SECRET, ACCESS, "pa$$word", "AGE-SECRET-KEY"):
        assert secret not in said
    assert gate.leftovers() == set()


def test_what_is_altered_in_the_bucket_is_refused_before_anything_is_touched(
    site: Site, server: BucketServer, gate: Gate, here: dict[str, str]
) -> None:
    backup = site.backup("drafts", **here)
    lose_backups(site)
    key = f"{_PREFIX}{ENVIRONMENT}/{backup}/drafts/database.gz"
    content = server.objects()[key]
    server.client.put_object(Bucket=BUCKET, Key=key, Body=content[:-1] + bytes([content[-1] ^ 1]))
    started = site.engine.docker("inspect", "--format", "{{.State.StartedAt}}", site.container("api"))
    done = site.script("restore", "latest", "--yes", **here)
    assert done.returncode == 1
    assert f"s3://{BUCKET}/{_PREFIX}{ENVIRONMENT}/{backup}: 'drafts/database.gz' was altered" in done.stderr
    assert site.engine.docker("inspect", "--format", "{{.State.StartedAt}}", site.container("api")) == started
    assert not list(site.backups.glob("*Z*"))
    server.client.put_object(Bucket=BUCKET, Key=key, Body=content)
    assert site.script("restore", backup, "--yes", **here).returncode == 0
    assert gate.leftovers() == set()


def test_an_upload_that_was_killed_is_no_backup_in_the_bucket(
    site: Site, server: BucketServer, gate: Gate, here: dict[str, str]
) -> None:
    good = site.backup("drafts", **here)
    with gate.start("backup", "drafts", at="backups upload*", more=here) as script:
        server.block_at("manifest.json.mac")
        script.open()
        until(server.blocked.is_set, "the last but one object")
        script.kill()
    server.go_on()
    [half] = [path.name for path in site.backups.glob("*Z") if path.name > good]
    assert any(f"/{half}/drafts/" in key for key in server.objects())
    # The local backup is complete, but was not marked as done.
    assert site.script("restore", half, "--dry-run", **here).returncode == 0
    assert site.marker("drafts")["last_success"]["backup"] == good
    lose_backups(site)
    assert f"downloading {good}" in site.script("restore", "latest", "--dry-run", **here).stderr
    named = site.script("restore", half, "--yes", **here)
    assert named.returncode == 1
    assert "is not a complete backup: it has no manifest.json" in named.stderr
    assert site.backup("drafts", **here) > half
    assert gate.leftovers() == set()


def test_retention_here_takes_nothing_from_the_bucket(
    site: Site, server: BucketServer, here: dict[str, str]
) -> None:
    made = [site.backup("drafts", **here) for _ in range(3)]
    assert not (site.backups / made[0]).exists()
    keys = server.objects()
    for backup in made:
        assert f"{_PREFIX}{ENVIRONMENT}/{backup}/manifest.json" in keys
    back = site.script("restore", made[0], "--yes", **here)
    assert back.returncode == 0, back.stderr


def test_an_upload_that_fails_fails_the_backup_and_keeps_it_here(
    site: Site, server: BucketServer, here: dict[str, str]
) -> None:
    kept = [site.backup("drafts", **here) for _ in range(2)]
    server.end_at("database.gz")
    try:
        done = site.script("backup", "drafts", **here)
    finally:
        server.stop()
        server.start()
    assert done.returncode == 1
    [new] = [path.name for path in site.backups.glob("*Z") if path.name > kept[-1]]
    # No older backup is removed before the new one is complete.
    assert all((site.backups / each).is_dir() for each in kept)
    marker = site.marker("drafts")
    assert "the upload to the bucket shop-backups failed" in done.stderr
    assert "the upload to the bucket shop-backups failed" in marker["last_run"]["error"]
    assert marker["last_success"]["backup"] == kept[-1]
    assert SECRET not in done.stderr
    assert site.script("restore", new, "--dry-run", **here).returncode == 0
    again = subprocess.run(
        [here["EXPORTER"], "backups", "upload", site.backups / new],
        env=site.variables(
            **here, EXPORTER_CONFIG=str(site.folder / "config.yaml"), EXPORTER_ENVIRONMENT=ENVIRONMENT
        ),
        capture_output=True,
        check=False,
        text=True,
    )
    assert again.returncode == 0, again.stderr
    lose_backups(site)
    assert f"downloading {new}" in site.script("restore", "latest", "--dry-run", **here).stderr


def test_without_its_credentials_a_backup_fails_with_a_sentence(site: Site, here: dict[str, str]) -> None:
    here.pop("BUCKET_ACCESS")
    done = site.script("backup", "drafts", **here)
    assert done.returncode == 1
    assert "backup.s3: " in done.stderr
    assert "BUCKET_ACCESS" in done.stderr
