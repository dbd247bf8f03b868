"""MongoDB: mongodump and mongorestore. A dump is not a snapshot, so documents are counted before and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.backups.engines import answers
from exporter.backups.engines.inside import ask, stream, succeeds, wait_until_ready
from exporter.backups.engines.shape import Compared, Restored, read_all
from exporter.backups.steps import printable
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.backups.engines.shape import Counts, Place, Source, Target

Documents = dict[tuple[str, ...], int]

_COUNT_BYTES = 64 * 1024 * 1024
_COUNT_SECONDS = 3600.0
"""countDocuments reads every collection."""
_SHOWN = 20
_ADMIN = "admin"

# A tool takes a password from a file or an argument; the file is a pipe, with YAML in it.
_TOOL = r"""
user=$1
tool=$2
shift 2
if [ -z "${MONGO_PASSWORD:-}" ]; then exec "$tool" "$@"; fi
exec 4<&0
printf 'password: "%s"\n' "$(printf %s "$MONGO_PASSWORD" | sed -e 's/[\\"]/\\&/g' -e '$!s/$/\\n/' | tr -d '\n')" | {
  exec 3<&0 0<&4
  exec "$tool" "--username=$user" --authenticationDatabase=admin --config=/dev/fd/3 "$@"
}
"""
_SERVER = """
const { MONGO_USER: user, MONGO_PASSWORD: password, MONGO_PORT: port, MONGO_TLS: tls } = process.env;
const login = password ? `${encodeURIComponent(user)}:${encodeURIComponent(password)}@` : '';
const options = `directConnection=true${tls ? '&tls=true&tlsInsecure=true' : ''}`;
const server = new Mongo(`mongodb://${login}127.0.0.1:${port}/?${options}`);
const isData = (name) => !['admin', 'config', 'local'].includes(name);
"""
# A line of JSON for each collection: database, collection, documents. Also users and roles, except the administrator,
# who is created by the container's own variables.
_COUNT = """
const tell = (database, name, filter) =>
  print(JSON.stringify([database.getName(), name, Number(database.getCollection(name).countDocuments(filter))]));
const admin = server.getDB('admin');
tell(admin, 'system.roles', {});
tell(admin, 'system.users', { $nor: [{ user, db: 'admin' }] });
for (const name of admin.adminCommand({ listDatabases: 1 }).databases.map((each) => each.name).filter(isData).sort()) {
  const database = server.getDB(name);
  const collections = database.getCollectionInfos().filter((each) => each.type !== 'view').map((each) => each.name);
  for (const collection of collections.filter((each) => !each.startsWith('system.')).sort()) {
    tell(database, collection, {});
  }
}
"""
_DROP = r"""
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter((line) => line);
for (const name of new Set(lines.map((line) => JSON.parse(line)[0]).filter(isData))) server.getDB(name).dropDatabase();
"""
_VERSION = "print(server.getDB('admin').version());"
# Uses the container's own address: while the image creates the first user, its server listens on loopback only.
_ANSWERS = """
host=${1:-$HOSTNAME}
shift
exec mongosh --quiet --norc --host "$host" "$@"
"""
_IS_PRIMARY = "quit(db.runCommand({ hello: 1 }).isWritablePrimary ? 0 : 1)"


def version(place: Place) -> str:
    """Return the server's version."""
    lines = _script(place, _VERSION).splitlines()
    return answers.text(lines[-1] if lines else b"", "the version")


def ready(place: Place) -> bool:
    """True if the server answers as a primary, which accepts writes."""
    options = ["--port", str(place.subject.port)]
    if place.subject.tls:
        options += ["--tls", "--tlsAllowInvalidCertificates"]
    return succeeds(place, ["sh", "-c", _ANSWERS, "sh", place.address, *options, "--eval", _IS_PRIMARY])


def count(place: Place) -> Counts:
    """Count the documents of every collection."""
    return _shown(_documents(place))


def save(place: Place, target: Target) -> Counts:
    """Dump all databases, and count documents before and after."""
    name, steps = place.name, place.steps
    steps.begin(f"counting the documents of {name}")
    before = _documents(place)
    steps.begin(f"dumping {name}")
    with target.file("archive.gz", "archive") as file:
        stream(place, _tool(place, "mongodump", "--archive", "--gzip"), target=file)
    steps.begin(f"counting the documents of {name} again")
    after = _documents(place)
    for path, content, documents in (("before", "counts", before), ("after", "counts-after", after)):
        with target.file(f"{path}.counts", content) as file:
            for key, number in documents.items():
                file.write(answers.row_line(key, number))
    return _shown(after)


def load(place: Place, source: Source) -> Restored:
    """Drop the databases that were saved, restore them, then users and roles, and compare the documents."""
    name, steps = place.name, place.steps
    wait_until_ready(place, ready)
    before, after = _saved(source, name, "counts"), _saved(source, name, "counts-after")
    # mongorestore does not touch what is not in the archive, so newer collections would stay.
    steps.begin(f"dropping the databases of {name} that are restored")
    _script(place, _DROP, b"".join(answers.row_line((database,), 0) for database, _ in {**before, **after}))
    # Restore users separately: with --drop, existing users would get their old passwords, also the administrator, but
    # the secret may have changed since. Services read the secret, so it wins.
    steps.begin(f"restoring {name}")
    _restore(place, source, "--drop", "--nsExclude=admin.system.*")
    if any(number for documents in (before, after) for key, number in documents.items() if key[0] == _ADMIN):
        steps.begin(f"restoring the users and roles of {name}")
        _restore(place, source, "--nsInclude=admin.system.*")
    steps.begin(f"comparing the documents of {name}")
    compared = compare(before, after, _documents(place))
    if wrong := [each for each in compared if not each.good]:
        for each in wrong[:_SHOWN]:
            steps.say(f"{printable(each.what)}: {each.saved} saved, {each.restored} restored")
        raise BackupsError(f"{name} differs from what was saved (see above)")
    return Restored(tuple(compared))


def compare(before: Documents, after: Documents, there: Documents) -> list[Compared]:
    """Compare every collection that existed during the whole dump.

    Documents that were added or removed during the dump may be there or not. Users who existed before the restore stay.
    """
    return [
        Compared(
            ".".join(key),
            after[key],
            there.get(key, 0),
            key in there
            and there[key] >= min(before[key], after[key])
            and (key[0] == _ADMIN or there[key] <= max(before[key], after[key])),
        )
        for key in after
        if key in before
    ]


def _documents(place: Place) -> Documents:
    # mongosh also prints warnings to standard output, for example about a configuration that it does not understand.
    lines = [line for line in _script(place, _COUNT).splitlines() if line.startswith(b'["')]
    return _parsed(lines, place.name)


def _saved(source: Source, name: str, content: str) -> Documents:
    with source.open(content) as file:
        return _parsed(read_all(file, _COUNT_BYTES).splitlines(), name)


def _parsed(lines: Iterable[bytes], name: str) -> Documents:
    return dict(answers.rows(lines, f"the documents of {name}", words=2))


def _restore(place: Place, source: Source, *options: str) -> None:
    with source.open("archive") as file:
        stream(
            place,
            _tool(place, "mongorestore", "--stopOnError", *options, "--archive", "--gzip"),
            source=file,
        )


def _script(place: Place, script: str, given: bytes = b"") -> bytes:
    subject = place.subject
    settings = [
        f"MONGO_USER={place.user}",
        f"MONGO_PORT={subject.port}",
        f"MONGO_TLS={'yes' if subject.tls else ''}",
    ]
    argv = ["env", *settings, "mongosh", "--nodb", "--quiet", "--norc", "--eval", _SERVER + script]
    return ask(place, argv, given=given, limit=_COUNT_BYTES, seconds=_COUNT_SECONDS)


def _tool(place: Place, tool: str, *options: str) -> list[str]:
    # Not --quiet: that would also hide why it failed.
    server = ["--host=127.0.0.1", f"--port={place.subject.port}"]
    if place.subject.tls:
        server += ["--ssl", "--tlsInsecure"]
    return ["sh", "-c", _TOOL, "sh", place.user, tool, *server, *options]


def _shown(documents: Documents) -> Counts:
    return {".".join(key): number for key, number in documents.items()}
