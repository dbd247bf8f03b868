"""Backups in a bucket, on moto's server, which speaks S3's protocol: what arrived is what was sent, or is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from exporter.backups import s3
from exporter.backups.checks import findings
from exporter.backups.s3 import Bucket
from exporter.backups.subjects import BackupsError
from tests.backups.folders import catalog, sealed

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    bucket.upload(place)
    assert bucket.backups() == [ID]
    again = bucket.download(ID, tmp_path / "again")
    assert findings(again) == []
    assert (again / "first" / "data -x $y").read_text() == f"first {ID}"


def test_large_files_go_in_parts_with_a_checksum(
    tmp_path: Path, endpoint: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PART_BYTES", 5 * 1024 * 1024)  # the least that S3 allows
    there = with_bucket(tmp_path, endpoint)
    place = tmp_path / "large"
    place.write_bytes(bytes(range(256)) * 4096 * 11)
    Bucket(there)._put(place, "large")
    assert client.head_object(Bucket=BUCKET, Key="large")["ETag"].endswith('-3"')


def test_a_backup_that_was_uploaded_by_half_is_none(tmp_path: Path, endpoint: str, client: Any) -> None:
    there = with_bucket(tmp_path, endpoint)
    Bucket(there).upload(sealed(there, tmp_path / "here", ID))
    prefix = f"a b/staging/{ID}"
    client.delete_object(Bucket=BUCKET, Key=f"{prefix}/manifest.json")
    assert Bucket(there).backups() == []
    with pytest.raises(BackupsError, match=r"it has no manifest\.json"):
        Bucket(there).download(ID, tmp_path / "again")
    assert not (tmp_path / "again" / ID).exists()


def test_an_object_that_was_altered_or_lost_is_refused(tmp_path: Path, endpoint: str, client: Any) -> None:
    there = with_bucket(tmp_path, endpoint)
    Bucket(there).upload(sealed(there, tmp_path / "here", ID))
    key = f"a b/staging/{ID}/first/data -x $y"
    client.put_object(Bucket=BUCKET, Key=key, Body=f"First {ID}".encode())
    with pytest.raises(BackupsError, match="altered"):
        Bucket(there).download(ID, tmp_path / "again")
    assert list((tmp_path / "again").iterdir()) == [], "what is of no use does not fill the disk"
    client.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(BackupsError, match="it has no first/data"):
        Bucket(there).download(ID, tmp_path / "again")
    assert not (tmp_path / "again" / ID).exists()


@pytest.mark.usefixtures("client")
def test_what_is_wrong_is_one_sentence_without_a_secret(
    tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = with_bucket(tmp_path, endpoint, "no-such-bucket")
    place = sealed(there, tmp_path / "here", ID)
    with pytest.raises(BackupsError, match=r"NoSuchBucket|does not exist|Not Found") as caught:
        Bucket(there).upload(place)
    assert SECRET not in str(caught.value)
    (place / "first" / "data -x $y").write_text("altered")
    with pytest.raises(BackupsError, match="bytes and not"):
        Bucket(with_bucket(tmp_path, endpoint)).upload(place)
    monkeypatch.delenv("BACKUP_SECRET")
    with pytest.raises(BackupsError, match="BACKUP_SECRET is not set"):
        Bucket(there)
    assert SECRET not in json.dumps(str(caught.value))
