"""Set up h2's connection for one request, with limits on what a server may send."""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings

MAX_HEAD_BYTES = 64 * 1024
"""Of a list of fields as HPACK counts them; more is refused while it is decompressed."""
WINDOW_BYTES = 1024 * 1024
"""How much of a body may be on its way. The protocol's default of 64 KiB makes a distant server wait at each turn."""


def new_connection() -> H2Connection:
    """Return a client's connection that no server can make hold more than its limits."""
    # Its checks refuse a blank around a value, which curl, Go and browsers pass over.
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
    """Return the protocol's name of an error code."""
    known = {member.value: member.name for member in ErrorCodes}
    return known.get(code or 0, f"error {code}")
