"""Setup of an h2 connection for one request, with limits on what a server may send."""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings

MAX_HEAD_BYTES = 64 * 1024
"""Size of a field list as HPACK counts it; a larger one is refused during decompression."""
WINDOW_BYTES = 1024 * 1024
"""Bytes of a body that may be in flight. With the protocol's default of 64 KiB a distant server often waits."""


def new_connection() -> H2Connection:
    """Return a client connection that holds no more than its limits, whatever the server sends."""
    # h2's checks refuse spaces around a value, which curl, Go and browsers ignore.
    connection = H2Connection(
        H2Configuration(client_side=True, header_encoding=None, validate_inbound_headers=False)
    )
    connection.local_settings = Settings(
        client=True,
        initial_values={
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES,
            SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD_BYTES,
        },
    )
    connection.decoder.max_header_list_size = MAX_HEAD_BYTES
    return connection


def error_name(code: int | None) -> str:
    """Return the name of an error code in the protocol."""
    known = {member.value: member.name for member in ErrorCodes}
    return known.get(code or 0, f"error {code}")
