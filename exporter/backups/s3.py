"""Backups in a bucket. The manifest is uploaded last, so an interrupted upload does not count as a backup.

Objects are called PREFIX ENVIRONMENT/ID/PATH. Their retention is left to the bucket (a lifecycle rule).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import shutil
from typing import TYPE_CHECKING, Any

from exporter.backups.authentic import Trust, proof_of, read_manifest
from exporter.backups.checks import findings
from exporter.backups.manifest import CHECKSUM, CODE, ID, MANIFEST, MAX_MANIFEST, MAX_PROOF, PARTIAL
from exporter.backups.subjects import BackupsError
from exporter.catalog.planning.secret_paths import resolve
from exporter.catalog.values.secret_text import SecretError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.backup import S3
    from exporter.catalog.values.references import TextTemplate

MISSING_LIBRARY = "backups in a bucket need boto3; run: pip install 'pageforge-exporter[s3]'"
_PART_BYTES = 16 * 1024 * 1024
_MAX_PARTS = 10_000
"""S3's limit for one object."""
_CHUNK = 1024 * 1024


class Bucket:
    """One environment's backups in the catalog's bucket. The constructor and all methods raise BackupsError."""

    def __init__(self, catalog: Catalog) -> None:
        s3 = catalog.backup.s3
        if s3 is None:
            raise BackupsError("the catalog has no bucket; set backup.s3")
        try:
            import boto3  # noqa: F401 - only to see if it is installed
        except ImportError:
            raise BackupsError(MISSING_LIBRARY) from None
        self._bucket = s3.bucket
        self._prefix = f"{s3.prefix}{catalog.environment_name}/"
        with self._said():
            self._client = _client(catalog, s3)

    def upload(self, folder: Path, trust: Trust) -> None:
        """Upload a backup, and verify the uploaded files."""
        if wrong := findings(folder, trust):
            raise BackupsError(wrong[0])
        with self._said():
            proofs = [name for name in (CHECKSUM, CODE) if (folder / name).exists()]
            for path in (*(file.path for file in read_manifest(folder, trust).files), *proofs, MANIFEST):
                self._put(folder / path, f"{self._prefix}{folder.name}/{path}")

    def download(self, id: str, folder: Path, trust: Trust) -> Path:  # noqa: A002 - the name used everywhere
        """Download a backup to `folder`/ID, which appears when all of it is there and verified."""
        if not ID.fullmatch(id):
            raise BackupsError(f"{id!r} is not a backup's id, which looks like 20260102T030000Z")
        place, partial = folder / id, folder / f"{id}{PARTIAL}"
        if place.exists():
            raise BackupsError(f"{place} already exists")
        if partial.exists():
            shutil.rmtree(partial)  # of an interrupted download
        partial.mkdir(mode=0o700, parents=True)
        try:
            self._fetch(id, partial, trust)
        except BackupsError as error:
            shutil.rmtree(partial)  # it is of no use, and would fill the disk
            raise BackupsError(
                str(error).replace(str(partial), f"s3://{self._bucket}/{self._prefix}{id}")
            ) from None
        partial.rename(place)
        return place

    def _fetch(self, id: str, partial: Path, trust: Trust) -> None:  # noqa: A002 - the name used everywhere
        with self._said():
            self._get(id, MANIFEST, partial, limit=MAX_MANIFEST)
            proof = proof_of(partial)
            self._get(id, proof, partial, limit=MAX_PROOF)
            for file in read_manifest(partial, trust).files:
                self._get(id, file.path, partial, limit=file.bytes)
        if wrong := findings(partial, trust, called=id):
            raise BackupsError(wrong[0])

    def backups(self) -> list[str]:
        """Return the ids of the complete backups in the bucket, newest first."""
        found = set()
        with self._said():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for page in pages:
                for item in page.get("Contents", ()):
                    id, _, path = item["Key"].removeprefix(self._prefix).partition("/")  # noqa: A001 - the name used everywhere
                    if ID.fullmatch(id) and path == MANIFEST:
                        found.add(id)
        return sorted(found, reverse=True)

    def _put(self, path: Path, key: str) -> None:
        from boto3.s3.transfer import TransferConfig

        size = path.stat().st_size
        part = max(_PART_BYTES, -(-size // _MAX_PARTS))
        self._client.upload_file(
            str(path),
            self._bucket,
            key,
            ExtraArgs={"ChecksumAlgorithm": "SHA256"},
            Config=TransferConfig(multipart_threshold=part, multipart_chunksize=part),
        )
        told = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        if told["ContentLength"] != size:
            raise BackupsError(
                f"s3://{self._bucket}/{key} has {told['ContentLength']} bytes after the upload instead of {size}"
            )
        whole, in_parts = _checksums(path, part)
        checksum = told.get("ChecksumSHA256")
        # If the provider has no such checksums, read the object itself.
        good = checksum.partition("-")[0] in (whole, in_parts) if checksum else self._hash_there(key) == whole
        if not good:
            raise BackupsError(
                f"s3://{self._bucket}/{key} was altered by the upload: its checksum does not match"
            )

    def _hash_there(self, key: str) -> str:
        digest = hashlib.sha256()
        for chunk in self._client.get_object(Bucket=self._bucket, Key=key)["Body"].iter_chunks(_CHUNK):
            digest.update(chunk)
        return base64.b64encode(digest.digest()).decode()

    def _get(self, id: str, path: str, folder: Path, *, limit: int) -> None:  # noqa: A002 - the name used everywhere
        from botocore.exceptions import ClientError

        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        key = f"{self._prefix}{id}/{path}"
        try:
            size = self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
            if size > limit:  # a foreign object must not fill this disk
                raise BackupsError(
                    f"s3://{self._bucket}/{key} has {size} bytes, more than the expected {limit}"
                )
            self._client.download_file(self._bucket, key, str(folder / path))
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
                raise
            raise BackupsError(
                f"s3://{self._bucket}/{self._prefix}{id} is not a complete backup: it has no {path}"
            ) from None

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        """Convert the library's errors to BackupsError. None of them contains a credential."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise BackupsError(
                f"s3://{self._bucket}/{self._prefix}: {' '.join(str(error).split())}"
            ) from None
        except OSError as error:
            raise BackupsError(f"{error.filename or self._bucket}: {error.strerror or error}") from None


def _client(catalog: Catalog, s3: S3) -> Any:
    import boto3

    return boto3.client(
        "s3",
        region_name=s3.region,
        endpoint_url=s3.endpoint,
        aws_access_key_id=_secret(catalog, s3.access_key),
        aws_secret_access_key=_secret(catalog, s3.secret_key),
    )


def _secret(catalog: Catalog, template: TextTemplate | None) -> str | None:
    if template is None:
        return None
    text = resolve(catalog, template)
    try:
        return text if isinstance(text, str) else text.read()
    except SecretError as error:
        raise BackupsError(f"backup.s3: {error}") from None


def _checksums(path: Path, part: int) -> tuple[str, str]:
    """Return the checksum of the whole file, and that of a multipart upload: the hash of the parts' hashes.

    S3 appends a hyphen and the number of parts to the latter, but not every provider does.
    """
    whole, parts = hashlib.sha256(), []
    with path.open("rb") as file:
        while chunk := file.read(part):
            whole.update(chunk)
            parts.append(hashlib.sha256(chunk).digest())
    in_parts = base64.b64encode(hashlib.sha256(b"".join(parts)).digest()).decode()
    return base64.b64encode(whole.digest()).decode(), in_parts
