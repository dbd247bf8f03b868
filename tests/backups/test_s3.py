"""Backups in a bucket of moto's S3 server: what arrives equals what was sent, or is refused."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from exporter.backups import s3
from exporter.backups.checks import findings
from exporter.backups.keys import Key
from exporter.backups.manifest import MAX_MANIFEST
from exporter.backups.s3 import Bucket
from exporter.backups.subjects import BackupsError
from tests.backups.folders import FILE, TRUST, catalog, sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.catalog.catalog import Catalog

ID = "20260102T030000Z"
SECRET = "s3cret-k3y"
BUCKET = "shop-backups"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def client(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("BACKUP_ACCESS", "access")
    monkeypatch.setenv("BACKUP_SECRET", SECRET)
    client = boto3.client(
        "s3", "us-east-1", endpoint_url=endpoint, aws_access_key_id="access", aws_secret_access_key=SECRET
    )
    client.create_bucket(Bucket=BUCKET)
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    return client


def with_bucket(folder: Path, endpoint: str, bucket: str = BUCKET) -> Catalog:
    keys = "access_key: '${BACKUP_ACCESS}', secret_key: '${BACKUP_SECRET}'"
    s3 = f'{{bucket: {bucket}, prefix: "a b/", region: us-east-1, endpoint: "{endpoint}", {keys}}}'
    return catalog(folder, f", s3: {s3}")


@pytest.mark.usefixtures("client")
def test_what_was_uploaded_comes_back_whole(tmp_path: Path, endpoint: str) -> None:
    there = with_bucket(tmp_path, endpoint)
    place = sealed(there, tmp_path / "here", ID)
    bucket = Bucket(there)
    bucket.upload(place, TRUST)
    assert bucket.backups() == [ID]
    again = bucket.download(ID, tmp_path / "again", TRUST)
    assert findings(again, TRUST) == []
    assert (again / "first" / FILE).read_text() == f"first {ID}"


def test_large_files_go_in_parts_with_a_checksum(
    tmp_path: Path, endpoint: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PART_BYTES", 5 * 1024 * 1024)  # the minimum of S3
    there = with_bucket(tmp_path, endpoint)
    place = tmp_path / "large"
    place.write_bytes(bytes(range(256)) * 4096 * 11)
    Bucket(there)._put(place, "large")
    assert client.head_object(Bucket=BUCKET, Key="large")["ETag"].endswith('-3"')


def test_a_backup_that_was_uploaded_by_half_is_none(tmp_path: Path, endpoint: str, client: Any) -> None:
    there = with_bucket(tmp_path, endpoint)
    Bucket(there).upload(sealed(there, tmp_path / "here", ID), TRUST)
    prefix = f"a b/staging/{ID}"
    client.delete_object(Bucket=BUCKET, Key=f"{prefix}/manifest.json")
    assert Bucket(there).backups() == []
    with pytest.raises(BackupsError, match=r"it has no manifest\.json"):
        Bucket(there).download(ID, tmp_path / "again", TRUST)
    assert not (tmp_path / "again" / ID).exists()


def test_an_object_that_was_altered_or_lost_is_refused(tmp_path: Path, endpoint: str, client: Any) -> None:
    there = with_bucket(tmp_path, endpoint)
    Bucket(there).upload(sealed(there, tmp_path / "here", ID), TRUST)
    key = f"a b/staging/{ID}/first/{FILE}"
    client.put_object(Bucket=BUCKET, Key=key, Body=f"First {ID}".encode())
    with pytest.raises(BackupsError, match="was altered"):
        Bucket(there).download(ID, tmp_path / "again", TRUST)
    assert list((tmp_path / "again").iterdir()) == [], "useless files must not fill the disk"
    client.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(BackupsError, match="it has no first/volume"):
        Bucket(there).download(ID, tmp_path / "again", TRUST)
    assert not (tmp_path / "again" / ID).exists()


@pytest.mark.usefixtures("client")
def test_what_is_wrong_is_one_sentence_without_a_secret(
    tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = with_bucket(tmp_path, endpoint, "no-such-bucket")
    place = sealed(there, tmp_path / "here", ID)
    with pytest.raises(BackupsError, match=r"NoSuchBucket|does not exist|Not Found") as caught:
        Bucket(there).upload(place, TRUST)
    assert SECRET not in str(caught.value)
    (place / "first" / FILE).write_text("altered")
    with pytest.raises(BackupsError, match="bytes instead of"):
        Bucket(with_bucket(tmp_path, endpoint)).upload(place, TRUST)
    monkeypatch.delenv("BACKUP_SECRET")
    with pytest.raises(BackupsError, match="BACKUP_SECRET is not set"):
        Bucket(there)
    assert SECRET not in json.dumps(str(caught.value))


def _forge(folder: Path) -> tuple[bytes, bytes]:
    """Write a manifest changed by somebody, with a code from their own key."""
    text = (folder / "manifest.json").read_bytes().replace(b'"a:1"', b'"evil:1"')
    return text, Key(bytes(32)).seal(text).encode()


def _downgrade(folder: Path) -> tuple[bytes, bytes]:
    """Rewrite the backup in the format of an earlier version: with only a checksum next to it."""
    told = json.loads((folder / "manifest.json").read_bytes())
    for saved in told["subjects"]:
        del saved["rows"]
    text = json.dumps({**told, "format": 1}).encode()
    return text, hashlib.sha256(text).hexdigest().encode()


@pytest.mark.parametrize(
    ("forge", "proof", "sentence"),
    [
        (_forge, "manifest.json.mac", "was made with the key"),
        (_downgrade, "manifest.json.sha256", "--accept-unauthenticated"),
    ],
)
def test_a_forged_manifest_in_the_bucket_is_refused_before_anything_else_is_downloaded(
    tmp_path: Path,
    endpoint: str,
    client: Any,
    forge: Callable[[Path], tuple[bytes, bytes]],
    proof: str,
    sentence: str,
) -> None:
    there = with_bucket(tmp_path, endpoint)
    place = sealed(there, tmp_path / "here", ID)
    Bucket(there).upload(place, TRUST)
    text, code = forge(place)
    client.put_object(Bucket=BUCKET, Key=f"a b/staging/{ID}/manifest.json", Body=text)
    client.put_object(Bucket=BUCKET, Key=f"a b/staging/{ID}/{proof}", Body=code)
    client.delete_object(Bucket=BUCKET, Key=f"a b/staging/{ID}/first/{FILE}")
    with pytest.raises(BackupsError, match=sentence):
        Bucket(there).download(ID, tmp_path / "again", TRUST)
    assert list((tmp_path / "again").iterdir()) == []


@pytest.mark.parametrize("path", ["manifest.json", "manifest.json.mac", f"first/{FILE}"])
def test_an_object_that_is_larger_than_it_can_be_is_not_downloaded(
    tmp_path: Path, endpoint: str, client: Any, path: str
) -> None:
    there = with_bucket(tmp_path, endpoint)
    Bucket(there).upload(sealed(there, tmp_path / "here", ID), TRUST)
    client.put_object(Bucket=BUCKET, Key=f"a b/staging/{ID}/{path}", Body=b" " * (MAX_MANIFEST + 1))
    with pytest.raises(BackupsError, match="bytes, more than the expected"):
        Bucket(there).download(ID, tmp_path / "again", TRUST)
