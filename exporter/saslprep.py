"""Preparation of passwords for SCRAM (SASLprep, RFC 4013)."""

from __future__ import annotations

import stringprep
import unicodedata

PROHIBITED = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)
"""The tables of characters that RFC 4013 does not allow in a password."""


def saslprep(password: str) -> str:
    """Return the form of a password that SCRAM uses (RFC 4013); printable ASCII stays as it is.

    Raises:
        ValueError: it holds characters that SCRAM does not allow.
    """
    if password.isascii() and password.isprintable():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(c) else c for c in password if not stringprep.in_table_b1(c)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(table(c) for table in PROHIBITED for c in prepared):
        raise ValueError("the password holds characters that SCRAM does not allow")
    to_the_left = [stringprep.in_table_d1(c) for c in prepared]
    mixed = any(map(stringprep.in_table_d2, prepared)) or not (
        to_the_left and to_the_left[0] and to_the_left[-1]
    )
    if any(to_the_left) and mixed:
        raise ValueError(
            "the password mixes left-to-right and right-to-left text, which SCRAM does not allow"
        )
    return prepared
