"""Basic authentication with bcrypt hashes: off the event loop, one at a time, and each password only once.

A bcrypt check is slow on purpose: 50 to 250 ms. So results are cached, under a keyed digest and never under the
password. Each client can have only a few checks waiting, so that guessing passwords does not slow down the host or
block other clients.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
from collections import Counter, OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from exporter.aside import AsideBusyError, AsideTimeoutError, aside
from exporter.daemon.web.crowd import owner_of
from exporter.daemon.web.message import RefusedError

if TYPE_CHECKING:
    from exporter.daemon.web.message import Request
    from exporter.daemon.web.settings import Users

REMEMBERED = 256
"""Correct passwords that are cached, and the same number of wrong ones."""
WAITING_OF_ONE = 4
"""Running and waiting checks of one client; further requests are answered with 429."""
WAITING = 64
BCRYPT_BYTES = 72
"""bcrypt uses only this many bytes of a password; the library refuses longer ones, others cut them."""

CHECK_SECONDS = 30.0

_LATER = (b"retry-after", b"1")
_CHALLENGE = (b"www-authenticate", b'Basic realm="exporter", charset="UTF-8"')


class Login:
    """A checker of user names and passwords, with a cache of results."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._verdicts: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._checks: dict[bytes, asyncio.Task[bool]] = {}
        self._waiting: Counter[str] = Counter()
        self._turn = asyncio.Lock()

    async def check(self, request: Request, client: str, users: Users) -> None:
        """Raise RefusedError unless the request has a valid user name and password."""
        credentials = _credentials(request)
        if credentials is None or not await self._known(*credentials, owner_of(client), users):
            raise RefusedError(401, "a user name and password are required", "login", _CHALLENGE)

    async def _known(self, user: str, password: bytes, client: str, users: Users) -> bool:
        expected = users.passwords.get(user)
        if expected is not None and hmac.compare_digest(hashlib.sha256(password).digest(), expected):
            return True
        # An unknown user takes as long as a known one, so that names cannot be found by timing.
        hashed = users.hashes.get(user, users.decoy)
        if hashed is None:
            return False
        digest = self._digest(user.encode(), hashed, password)
        for verdict, known in self._verdicts.items():
            if digest in known:
                known.move_to_end(digest)
                return verdict and user in users.hashes
        return await self._asked(digest, password, hashed, client) and user in users.hashes

    async def _asked(self, digest: bytes, password: bytes, hashed: bytes, client: str) -> bool:
        """Return the result of a check. The check continues, and its result is cached, even if the client is gone."""
        task = self._checks.get(digest)
        if task is None:
            if self._waiting[client] >= WAITING_OF_ONE or self._waiting.total() >= WAITING:
                raise RefusedError(429, "too many logins at once; try again in a second", "login", _LATER)
            task = asyncio.get_running_loop().create_task(self._check(digest, password, hashed, client))
            self._checks[digest] = task
            self._waiting[client] += 1
        return await asyncio.shield(task)

    async def _check(self, digest: bytes, password: bytes, hashed: bytes, client: str) -> bool:
        try:
            async with self._turn:
                verdict = await aside("login", partial(_matches, password, hashed), CHECK_SECONDS)
        except (AsideTimeoutError, AsideBusyError):
            return False
        finally:
            del self._checks[digest]
            self._waiting[client] -= 1
            self._waiting += Counter()  # drops the zeros
        self._remember(digest, verdict)
        return verdict

    def _digest(self, *parts: bytes) -> bytes:
        hashes = b"".join(hashlib.sha256(part).digest() for part in parts)
        return hmac.digest(self._key, hashes, "sha256")

    def _remember(self, digest: bytes, verdict: bool) -> None:
        known = self._verdicts[verdict]
        known[digest] = None
        if len(known) > REMEMBERED:
            known.popitem(last=False)


def _credentials(request: Request) -> tuple[str, bytes] | None:
    values = request.values(b"authorization")
    if len(values) != 1:
        return None
    scheme, _, code = values[0].partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, separator, password = base64.b64decode(code.strip(), validate=True).partition(b":")
        return (user.decode(), password) if separator else None
    except (binascii.Error, ValueError):
        return None


def _matches(password: bytes, hashed: bytes) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(password[:BCRYPT_BYTES], hashed)
    except ValueError:
        return False
