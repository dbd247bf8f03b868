"""MongoDB: changeUserPassword in mongosh, which reads the passwords from standard input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exporter.secrets.engines.base import Question, StoreEngine

if TYPE_CHECKING:
    from exporter.secrets.inventory import Login

_SCRIPT = """
const { user, port, tls, known, next } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const login = `${encodeURIComponent(user)}:${encodeURIComponent(known)}`;
const options = `directConnection=true&authSource=admin${tls ? '&tls=true&tlsInsecure=true' : ''}`;
const server = new Mongo(`mongodb://${login}@127.0.0.1:${port}/?${options}`);
const admin = server.getDB('admin');
if (next === undefined) admin.runCommand({ ping: 1 }); else admin.changeUserPassword(user, next);
print('yes');
"""


def _mongosh(login: Login, **passwords: bytes) -> Question:
    settings = {"user": login.user, "port": login.port, "tls": login.tls}
    given = json.dumps({**settings, **{name: value.decode() for name, value in passwords.items()}})
    return Question(("mongosh", "--quiet", "--norc", "--nodb", "--eval", _SCRIPT), given.encode(), b"yes\n")


def _accepts(login: Login, value: bytes) -> Question:
    return _mongosh(login, known=value)


def _change(login: Login, known: bytes, new: bytes) -> Question:
    return _mongosh(login, known=known, next=new)


ENGINE = StoreEngine("MongoDB", _accepts, _change, _accepts)
