"""What a shell script must know of the catalog and of a backup: records of name, key and value.

Each of the three is ended by a zero byte, so that any name goes through as data. The name is empty where the value
holds for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.backups.authentic import Trust, read_manifest
from exporter.backups.subjects import backups_folder, chosen
from exporter.catalog.secret_paths import absolute

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.catalog.catalog import Catalog


def plan_text(catalog: Catalog, names: Iterable[str]) -> str:
    """What there is to save, in the catalog's order. Raises BackupsError."""
    encrypt = catalog.backup.encrypt
    records = [
        ("", "folder", str(backups_folder(catalog))),
        ("", "root", str(catalog.folder)),
        ("", "encryption", encrypt.tool if encrypt else ""),
        ("", "recipient", absolute(catalog, encrypt.recipient_file) if encrypt else ""),
        ("", "bucket", catalog.backup.s3.bucket if catalog.backup.s3 else ""),
    ]
    for name, subject in chosen(catalog, names).items():
        records += [
            (name, "kind", subject.engine or subject.kind),
            (name, "service", subject.service),
            (name, "user", subject.user),
            (name, "secret", subject.secret),
            (name, "port", str(subject.port)),
            (name, "tls", "yes" if subject.tls else ""),
            (name, "volume", subject.volume),
            (name, "path", subject.path),
            (name, "writers", " ".join(subject.writers)),
        ]
    return _text(records)


def contents_text(folder: Path, trust: Trust) -> bytes:
    """What a backup holds: `kind` and facts of each name, and `file/N/path|content|object`. Raises BackupsError."""
    manifest = read_manifest(folder, trust)
    records = [("", "encryption", manifest.encryption), ("", "id", manifest.id)]
    for saved in manifest.subjects:
        records.append((saved.name, "kind", saved.engine or saved.kind))
        records += [(saved.name, f"fact/{key}", value) for key, value in saved.facts.items()]
        records.append((saved.name, "files", str(len(saved.files))))
        for number, file in enumerate(saved.files):
            records += [
                (saved.name, f"file/{number}/path", file.path),
                (saved.name, f"file/{number}/content", file.content),
                (saved.name, f"file/{number}/object", file.object),
            ]
    return _text(records).encode(errors="surrogateescape")


def _text(records: list[tuple[str, str, str]]) -> str:
    return "".join(f"{name}\0{key}\0{value}\0" for name, key, value in records)
