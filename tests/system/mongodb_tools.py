"""`mongodump` and `mongorestore` as far as the generated scripts use them: MongoDB's own are in no package registry.

    mongodb_tools.py mongodump --host=127.0.0.1 --port=27017 --archive --gzip >archive.gz

The options, the configuration file and the archive are compatible with the real tools in both directions. Other
features of the real tools are refused. This file runs on its own, inside an image.
"""

from __future__ import annotations

import argparse
import fnmatch
import gzip
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import bson
import yaml
from bson import json_util
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import PyMongoError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.collection import Collection

Client = MongoClient[dict[str, Any]]

_MAGIC = bytes.fromhex("6de29981")
_END = b"\xff\xff\xff\xff"
_RAW = CodecOptions(document_class=RawBSONDocument)
_OF_CONFIG = ("chunks", "collections", "databases", "settings", "shards", "tags", "version")
_USERS = ("system.users", "system.roles")
_BATCH = 1000


class FailedError(Exception):
    """The request cannot be done; the message says why."""


def main(arguments: list[str]) -> int:
    tool, *rest = arguments
    options = _options(tool, rest)
    try:
        with _connected(options) as client:
            if tool == "mongodump":
                with gzip.open(sys.stdout.buffer, "wb") as out:
                    _dump(client, cast("BinaryIO", out))
            else:
                with gzip.open(sys.stdin.buffer, "rb") as archive:
                    _restore(client, cast("BinaryIO", archive), options)
    except (FailedError, PyMongoError, OSError, EOFError, ValueError, bson.errors.InvalidBSON) as error:
        print(f"Failed: {error}", file=sys.stderr)
        return 1
    return 0


def _options(tool: str, arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=tool, allow_abbrev=False)
    for name in ("--host", "--port", "--username", "--authenticationDatabase", "--config"):
        parser.add_argument(name)
    flags = ["--ssl", "--tlsInsecure", "--archive", "--gzip"]
    if tool == "mongorestore":
        flags += ["--drop", "--stopOnError"]
        parser.add_argument("--nsInclude", default="*")
        parser.add_argument("--nsExclude", default="")
    for name in flags:
        parser.add_argument(name, action="store_true", required=name in ("--archive", "--gzip"))
    return parser.parse_args(arguments)


def _connected(options: argparse.Namespace) -> Client:
    login: dict[str, Any] = {}
    if options.username:
        login = {"username": options.username, "authSource": options.authenticationDatabase}
    if options.config:
        written = yaml.safe_load(Path(options.config).read_text(encoding="utf-8"))
        if not isinstance(written, dict) or set(written) - {"password"}:
            raise FailedError(f"error parsing config file {options.config}")
        login["password"] = written["password"]
    if options.ssl:
        login |= {"tls": True, "tlsInsecure": options.tlsInsecure}
    return MongoClient(
        options.host, int(options.port), directConnection=True, serverSelectionTimeoutMS=10_000, **login
    )


# --- the dump


def _dump(client: Client, out: BinaryIO) -> None:
    found = [
        (database, info)
        for database in sorted(client.list_database_names())
        for info in client[database].list_collections()
        if _is_dumped(database, info["name"])
    ]
    header = {"concurrent_collections": 4, "version": "0.1", "server_version": "7.0.0", "tool_version": "0"}
    out.write(_MAGIC + bson.encode(header))
    for database, info in found:
        metadata = {
            "options": info.get("options", {}),
            "indexes": list(client[database][info["name"]].list_indexes()),
            "collectionName": info["name"],
            "type": info.get("type", "collection"),
        }
        text = json_util.dumps(metadata, json_options=json_util.CANONICAL_JSON_OPTIONS)
        place = {"db": database, "collection": info["name"]}
        out.write(bson.encode({**place, "metadata": text, "size": 0, "type": metadata["type"]}))
    out.write(_END)
    for database, info in found:
        place = {"db": database, "collection": info["name"]}
        check = 0
        out.write(bson.encode({**place, "EOF": False, "CRC": bson.Int64(0)}))
        for document in _raw(client, database, info["name"]).find({}):
            out.write(document.raw)
            check = _checksum(document.raw, check)
        signed = check - (1 << 64) if check >> 63 else check
        out.write(_END + bson.encode({**place, "EOF": True, "CRC": bson.Int64(signed)}) + _END)


def _is_dumped(database: str, collection: str) -> bool:
    if database == "local" or "$" in collection:
        return False
    if database == "admin":
        return collection != "system.keys"
    if database == "config":
        return collection in _OF_CONFIG
    return collection == "system.js" or not collection.startswith("system.")


# --- the restore


def _restore(client: Client, archive: BinaryIO, options: argparse.Namespace) -> None:
    if archive.read(4) != _MAGIC or _read(archive) is None:
        raise FailedError("this is no archive")
    collections = {}
    while (entry := _read(archive)) is not None:
        collections[entry["db"], entry["collection"]] = json_util.loads(entry["metadata"])
    wanted = {place for place in collections if _is_wanted(".".join(place), options)}
    if any(database == "admin" and name in _USERS for database, name in wanted):
        raise FailedError("users and roles are not restored by this stand-in")
    for database, name in sorted(wanted):
        if options.drop:
            client[database].drop_collection(name)
        if name not in client[database].list_collection_names():
            client[database].create_collection(name, **collections[database, name].get("options", {}))
    _insert(client, archive, wanted, open_ones=set(collections))
    for database, name in sorted(wanted):
        for index in collections[database, name]["indexes"]:
            keys = list(index["key"].items())
            more = {key: value for key, value in index.items() if key not in ("key", "v")}
            if index["name"] != "_id_":
                client[database][name].create_index(keys, **more)


def _insert(
    client: Client, archive: BinaryIO, wanted: set[tuple[str, str]], open_ones: set[tuple[str, str]]
) -> None:
    checks = dict.fromkeys(open_ones, 0)
    while open_ones:
        header = _read(archive)
        if header is None:
            raise FailedError("corruption found in archive")
        place = (header["db"], header["collection"])
        batch = []
        for document in _documents(archive):
            checks[place] = _checksum(bytes(document.raw), checks[place])
            batch.append(document)
            if place in wanted and len(batch) >= _BATCH:
                _raw(client, *place).insert_many(batch)
                batch = []
        if place in wanted and batch:
            _raw(client, *place).insert_many(batch)
        if header["EOF"]:
            open_ones.remove(place)
            if checks[place] != header["CRC"] % (1 << 64):
                raise FailedError(f"CRC mismatch for namespace {'.'.join(place)}")


def _is_wanted(namespace: str, options: argparse.Namespace) -> bool:
    return fnmatch.fnmatchcase(namespace, options.nsInclude) and not fnmatch.fnmatchcase(
        namespace, options.nsExclude
    )


# --- the archive


def _documents(archive: BinaryIO) -> Iterator[RawBSONDocument]:
    while (raw := _read_raw(archive)) is not None:
        yield RawBSONDocument(raw)


def _read(archive: BinaryIO) -> dict[str, Any] | None:
    raw = _read_raw(archive)
    return None if raw is None else bson.decode(raw)


def _read_raw(archive: BinaryIO) -> bytes | None:
    """Return the next document; None at the end of a block."""
    size = archive.read(4)
    if size == _END:
        return None
    rest = archive.read(max(int.from_bytes(size, "little") - 4, 0))
    if len(size) < 4 or len(rest) + 4 != int.from_bytes(size, "little"):
        raise FailedError("corruption found in archive: unexpected EOF")
    return size + rest


def _checksum(content: bytes, before: int) -> int:
    """Return the reflected CRC-64 of ECMA-182."""
    value = before ^ 0xFFFF_FFFF_FFFF_FFFF
    for byte in content:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFF_FFFF_FFFF_FFFF


def _remainder(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0xC96C_5795_D787_0F42 if value & 1 else 0)
    return value


_TABLE = tuple(map(_remainder, range(256)))


def _raw(client: Client, database: str, name: str) -> Collection[Any]:
    return client[database].get_collection(name, codec_options=_RAW)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
