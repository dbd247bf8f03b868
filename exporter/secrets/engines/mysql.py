"""MySQL and MariaDB: ALTER USER by the client of the image, which gets every password from its standard input.

A user changes its own password. Where the image made the superuser with the same one, that is changed too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.secrets.engines.base import Question, StoreEngine

if TYPE_CHECKING:
    from exporter.secrets.inventory import Login

_SUPERUSER = "root"
_HOSTS = ("localhost", "127.0.0.1", "::1", "%")
"""Where the accounts of the images' superuser may come from. It has one password."""

_ASK = """
set -eu
user=$1; shift
IFS= read -r login; IFS= read -r own; IFS= read -r shared
client=$(command -v mariadb || command -v mysql)
ask() {
  "$client" --defaults-extra-file=/dev/fd/3 --batch --skip-column-names --default-character-set=utf8mb4 "$@" 3<<END
[client]
$login
END
}
printf '%s\\n' "$own" | ask --user="$user" "$@"
test -n "$shared" || exit 0
# Another password of the superuser is not this secret.
if printf 'SELECT 1;\\n' | ask --user=root >/dev/null 2>&1; then printf '%s\\n' "$shared" | ask --user=root; fi
"""
"""The first line of standard input is the password as an option file has it; the others are statements."""


def _client(login: Login, known: bytes, own: str, shared: str = "") -> Question:
    # By TCP, as services come in. Neither product knows all options of the other; "loose" makes them a warning.
    options = (
        "--host=127.0.0.1",
        "--protocol=TCP",
        f"--port={login.port}",
        "--loose-skip-ssl-verify-server-cert",
    )
    argv = ("sh", "-c", _ASK, "mysql", login.user, *options, *(("--loose-ssl",) if login.tls else ()))
    password = known.decode().replace("\\", "\\\\").replace('"', '\\"')
    return Question(argv, f'password="{password}"\n{own}\n{shared}\n'.encode(), b"yes\n")


def _accepts(login: Login, value: bytes) -> Question:
    return _client(login, value, "SELECT 'yes';")


def _change(login: Login, known: bytes, new: bytes) -> Question:
    secret = f"IDENTIFIED BY {_quoted(new.decode())}"
    superuser = ", ".join(f"'{_SUPERUSER}'@'{host}' {secret}" for host in _HOSTS)
    start, end = "SET SESSION sql_mode = '';", "SELECT 'yes';"
    if login.user == _SUPERUSER:
        return _client(login, known, f"{start} ALTER USER IF EXISTS {superuser}; {end}")
    # What a user without rights may do. MariaDB alone reads what is in its comments, and needs it.
    own = f"{start} SET PASSWORD = /*M! PASSWORD( */ {_quoted(new.decode())} /*M! ) */; {end}"
    return _client(login, known, own, f"{start} ALTER USER IF EXISTS {superuser};")


def _quoted(text: str) -> str:
    """Quote as a text of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


ENGINE = StoreEngine("MySQL", _accepts, _change, _accepts)
