"""MongoDB's wire protocol: commands and answers as OP_MSG, on a stream.

The client of pymongo is not used: it resolves names in threads, and its monitors and pools outlive a query. Documents
are encoded and decoded by its `bson`.
"""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.probes.measure import Run
    from exporter.probes.stores.stream import StoreStream

Document = dict[str, Any]

HEADER = struct.Struct("<iiiiIB")
"""Total length, number, number of the answered message, operation, flags, and kind of the only section."""
SMALLEST_DOCUMENT = 5
OP_MSG = 2013
CHECKSUM_PRESENT, OTHER_REQUIRED_FLAGS = 1, 0xFFFE
CHECKSUM_BYTES = 4
BODY = 0

PROTOCOL_MAX = 48_000_000
"""The longest message that MongoDB sends."""
MAX_MESSAGE_BYTES = 256 * 1024
"""The longest message that is read; decoding it takes 2 ms. Only a list of thousands of databases is longer."""

NOTHING: Mapping[str, object] = MappingProxyType({})

CODEC = CodecOptions[Document](
    datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="replace"
)


class CommandError(Exception):
    """An error in answer to a command; `words` is the text of the server."""

    def __init__(self, command: str, code: int, words: PeerText) -> None:
        super().__init__(command)
        self.command = command
        self.code = code
        self.words = words


class Session:
    """A connection for commands, one after the other."""

    __slots__ = ("_run", "_stream", "answered")

    def __init__(self, stream: StoreStream, run: Run) -> None:
        self._stream = stream
        self._run = run
        self.answered = 0
        """The number of answered commands."""

    async def ask(
        self, command: str, fields: Mapping[str, object] = NOTHING, *, database: str = "admin"
    ) -> Document:
        """Return the answer to `{command: 1, **fields}`.

        Raises:
            CommandError: the answer is an error.
            ProbeFailure: `disconnect`; `protocol`, if it is not an answer; `size`, if it is over `MAX_MESSAGE_BYTES`.
        """
        self._run.awaited = f"the answer to {command}"
        number = self.answered + 1
        document = bson.encode({command: 1, **fields, "$db": database})
        length = HEADER.size + len(document)
        self._stream.send(HEADER.pack(length, number, 0, OP_MSG, 0, BODY) + document)
        answer = await self._answer(number)
        self.answered = number
        self._judge(command, answer)
        return answer

    async def _answer(self, number: int) -> Document:
        start = await self._stream.upcoming(4)
        length = int.from_bytes(start[:4], "little", signed=True)
        if not HEADER.size + SMALLEST_DOCUMENT <= length <= PROTOCOL_MAX:
            raise self._strange("{}", PeerText(start))
        if length > MAX_MESSAGE_BYTES:
            raise ProbeFailure(
                Reason.SIZE, f"{self._run.awaited} has {length} bytes, more than {MAX_MESSAGE_BYTES}"
            )
        message = await self._stream.exactly(length)
        _, _, answered, operation, flags, kind = HEADER.unpack_from(message)
        if operation != OP_MSG or answered != number or flags & OTHER_REQUIRED_FLAGS or kind != BODY:
            raise self._strange(f"operation {operation} in answer to {answered}")
        body = message[HEADER.size : length - CHECKSUM_BYTES if flags & CHECKSUM_PRESENT else length]
        try:
            return bson.decode(body, CODEC)
        except Exception:  # noqa: BLE001 - for hostile bytes bson raises any error of its types
            raise self._strange("the document is malformed") from None

    def _judge(self, command: str, answer: Mapping[str, Any]) -> None:
        ok = answer.get("ok")
        if not isinstance(ok, (int, float)):
            raise self._strange("it has no field ok")
        if ok != 1:
            code = answer.get("code")
            said = [word for word in map(answer.get, ("errmsg", "codeName")) if isinstance(word, str)]
            words = PeerText(next(filter(None, said), "no reason given"))
            raise CommandError(command, code if isinstance(code, int) else 0, words)

    def _strange(self, what: str, *words: PeerText) -> ProbeFailure:
        return ProbeFailure(Reason.PROTOCOL, f"{self._run.awaited} is not MongoDB's protocol: {what}", *words)
