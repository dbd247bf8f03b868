"""Redis: trigger a new save and copy its file; to restore, start Redis on that file."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from exporter.backups.engines import answers
from exporter.backups.engines.inside import ask, stream, wait_until_ready
from exporter.backups.engines.mounts import WRITE, mount_of
from exporter.backups.engines.shape import Compared, Restored, read_all
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from exporter.backups.engines.shape import Counts, Mount, Place, Readable, Source, Target

_PAUSE_SECONDS = 0.2
_COUNT_BYTES = 1024
_CHECKED_BYTES = 4 * 1024 * 1024
"""redis-check-rdb prints a line or two for each database and script."""
_KEYS = re.compile(rb"\] ([0-9]{1,18}) keys read")
_EXPIRES = re.compile(rb"\] ([0-9]{1,18}) expires")
_SPACE = re.compile(rb"keys=([0-9]{1,18}),expires=([0-9]{1,18})")
_COUNTS = re.compile(rb"keys ([0-9]{1,18})\nexpires ([0-9]{1,18})\n")

# A link stays the same file when Redis saves again in the meantime.
_COPY = """
set -e
cd -- "$1"
copy=.backup-copy.rdb
if [ "$3" = check ]; then
  rm -f -- "$copy"
  ln -- "$2" "$copy"
  exec redis-check-rdb "$copy"
fi
cat -- "$copy"
rm -f -- "$copy"
"""
_FILES = """
set -e
what=$1
cd -- "$2"
aside=.before-restore
others() { # COMMAND...: for each file but the old data; not by find, which goes on when the command fails
  for each in * .[!.]* ..?*; do
    if [ "$each" != "$aside" ] && there "./$each"; then "$@" "./$each"; fi
  done
}
there() { [ -e "$1" ] || [ -L "$1" ]; }
move() { # after an interrupted move, the copy in the folder of old data is the one to keep
  if there "$aside/$1"; then rm -rf -- "$1"; else mv -- "$1" "$aside/"; fi
}
move_up() { mv -f -- "$1" ..; }
rm -rf "$aside.old"
case $what in
  aside) # also completes a restore that was killed
    mkdir -p "$aside"
    if [ -e "$aside/.complete" ]; then
      others rm -rf --
    else
      others move
      : >"$aside/.complete"
    fi
    ;;
  put)
    others rm -rf --
    cat >"./$3"
    if [ -n "$4" ]; then cp -- "./$3" "./$4"; fi
    others chown "$(stat -c %u:%g .)" --
    ;;
  back)
    others rm -rf --
    rm -f "$aside/.complete"
    (cd -- "$aside" && others move_up)
    rmdir "$aside"
    ;;
  forget) # in one step, so that partial data is never taken for the old data
    mv "$aside" "$aside.old"
    rm -rf "$aside.old"
    ;;
esac
sync
"""


def version(place: Place) -> str:
    """Return the server's version, from INFO."""
    return answers.text(_information(place, "server").get(b"redis_version", b""), "the version")


def ready(place: Place) -> bool:
    """True if Redis answers PING, which it does once its data is loaded."""
    try:
        return _redis(place, "PING") == b"PONG"
    except BackupsError:
        return False


def count(place: Place) -> Counts:
    """Count the keys of all databases, and those that expire."""
    keys, expires = _there(place)
    return {"keys": keys, "expires": expires}


def data_folder(place: Place) -> str:
    """Return the data folder of a running Redis, in its container."""
    return answers.folder(_setting(place, "dir"), f"the folder of {place.name}")


def save(place: Place, target: Target) -> Counts:
    """Trigger a save, wait for it, and copy its file."""
    name, steps = place.name, place.steps
    steps.begin(f"triggering a save of {name}")
    target.fact("version", version(place))
    folder = answers.folder(_setting(place, "dir"), f"the folder of {name}")
    file = answers.file_name(_setting(place, "dbfilename"), f"the file of {name}")
    _wait_until_saved(place)
    steps.begin(f"copying the save of {name}")
    copy = ["sh", "-c", _COPY, "sh", folder, file]
    checked = ask(place, [*copy, "check"], limit=_CHECKED_BYTES, seconds=place.seconds_left)
    with target.file("dump.rdb", "rdb") as stored:
        stream(place, [*copy, "copy"], target=stored)
    keys, expires = _KEYS.findall(checked), _EXPIRES.findall(checked)
    if len(keys) != 1 or len(expires) != 1:
        raise BackupsError(f"redis-check-rdb of {name} did not say how many keys were saved")
    with target.file("counts", "counts") as stored:
        stored.write(b"keys %s\nexpires %s\n" % (keys[0], expires[0]))
    target.fact("dir", folder)
    target.fact("dbfilename", file)
    return {"keys": int(keys[0]), "expires": int(expires[0])}


def load(place: Place, source: Source) -> Restored:
    """Move the old data aside, start Redis on the saved data, and compare the keys; on failure move it back."""
    name, steps, host = place.name, place.steps, place.host
    folder = answers.folder((place.path or source.fact("dir")).encode(), f"the folder of {name}")
    mount = mount_of(place, folder)
    steps.begin(f"moving the old data of {name} aside")
    host.stop(place.container)
    _files(place, mount, "aside", folder)
    try:
        compared = _load_file(place, source, mount, folder)
    except Exception:
        steps.say(f"putting back {name} as it was")
        host.stop(place.container)
        _files(place, mount, "back", folder)
        host.start(place.container)
        raise
    _files(place, mount, "forget", folder)
    return Restored((compared,))


def _load_file(place: Place, source: Source, mount: Mount, folder: str) -> Compared:
    name, steps, host = place.name, place.steps, place.host
    host.start(place.container)
    wait_until_ready(place, ready)
    if answers.folder(_setting(place, "dir"), f"the folder of {name}") != folder:
        raise BackupsError(f"{name} no longer keeps its data in {folder}, the folder it was saved from")
    file = answers.file_name(_setting(place, "dbfilename"), f"the file of {name}")
    # With an append-only file Redis does not read the dump. But from version 5 on, a dump is a valid start of it.
    log = ""
    if _setting(place, "appendonly") == b"yes":
        log = answers.file_name(_setting(place, "appendfilename"), f"the log of {name}")
    host.stop(place.container)
    steps.begin(f"restoring {name}")
    with source.open("rdb") as dump:
        _files(place, mount, "put", folder, file, log, source=dump)
    host.start(place.container)
    wait_until_ready(place, ready)
    steps.begin(f"comparing the keys of {name}")
    with source.open("counts") as file_of_counts:
        found = _COUNTS.fullmatch(read_all(file_of_counts, _COUNT_BYTES))
    if not found:
        raise BackupsError(f"the backup of {name} does not say how many keys were saved")
    saved, there = (int(found[1]), int(found[2])), _there(place)
    steps.say(
        f"{saved[0]} keys were saved, {saved[1]} of which expire; "
        f"{there[0]} keys were restored, {there[1]} of which expire"
    )
    if not same(saved, there):
        raise BackupsError(f"{name} does not have the keys that were saved")
    return Compared("keys", saved[0], there[0])


def same(saved: tuple[int, int], there: tuple[int, int]) -> bool:
    """True if no key is missing except expired ones. Both are `(keys, of which expire)`."""
    return there[0] - there[1] == saved[0] - saved[1] and there[1] <= saved[1]


def _wait_until_saved(place: Place) -> None:
    """Trigger a save, and wait until one that began after this call has succeeded. Raises BackupsError."""
    name, steps = place.name, place.steps
    # The time of the last save is in whole seconds, so a new save within the same second could not be recognised.
    before = _last_save(place)
    while answers.number(_redis(place, "TIME").partition(b"\n")[0], f"the time of {name}") <= before:
        _pause(place, f"the clock of {name} did not advance until the time limit")
    while not (answer := _redis(place, "BGSAVE", "SCHEDULE", may_fail=True)).startswith(b"Background saving"):
        if not _is_saving(place):
            raise steps.failed(answer)
        _pause(place, f"{name} was busy with another save until the time limit")
        before = _last_save(place)
    while _is_saving(place) or _last_save(place) <= before:
        _pause(place, f"{name} did not finish its save by the time limit")
        state = _information(place, "persistence")
        if state.get(b"rdb_bgsave_in_progress") == b"0" and state.get(b"rdb_last_bgsave_status") != b"ok":
            raise BackupsError(f"{name} could not save; see: docker logs {place.container[:12]}")


def _pause(place: Place, late: str) -> None:
    if not place.seconds_left:
        raise BackupsError(late)
    time.sleep(_PAUSE_SECONDS)


def _last_save(place: Place) -> int:
    return answers.number(_redis(place, "LASTSAVE"), f"the time of the last save of {place.name}")


def _is_saving(place: Place) -> bool:
    return _information(place, "persistence").get(b"rdb_bgsave_in_progress") != b"0"


def _there(place: Place) -> tuple[int, int]:
    found = _SPACE.findall(_redis(place, "INFO", "keyspace"))
    return sum(int(keys) for keys, _ in found), sum(int(expires) for _, expires in found)


def _information(place: Place, section: str) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in _redis(place, "INFO", section).splitlines())
    return {key: value.strip() for key, colon, value in pairs if colon}


def _setting(place: Place, key: str) -> bytes:
    """Return a value of CONFIG GET; empty if this version does not know the key."""
    _, _, value = _redis(place, "CONFIG", "GET", key).partition(b"\n")
    return value


def _redis(place: Place, *command: str, may_fail: bool = False) -> bytes:
    """Return the answer to a command. With `may_fail`, an error is returned; otherwise it raises BackupsError."""
    subject = place.subject
    argv = ["redis-cli", *(() if may_fail else ("-e",)), "-p", str(subject.port)]
    if subject.tls:
        argv += ["--tls", "--insecure"]
    if place.user:
        argv += ["--user", place.user]
    return ask(place, [*argv, *command]).replace(b"\r", b"").strip(b"\n")


def _files(
    place: Place,
    mount: Mount,
    what: str,
    folder: str,
    file: str = "",
    log: str = "",
    source: Readable | None = None,
) -> None:
    ended = place.host.throw_away(
        ["sh", "-c", _FILES, "sh", what, folder, file, log],
        image=place.helper_image,
        mounts=[mount],
        capabilities=WRITE,
        source=source,
        seconds=place.seconds_left,
    )
    if ended.status:
        raise place.steps.failed(ended.said)
