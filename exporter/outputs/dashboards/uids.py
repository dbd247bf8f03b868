"""Names and URLs of the dashboards, also for links to them."""

from __future__ import annotations

import hashlib

OVERVIEW, SERVICE, CONTAINERS, SLOS, STORES, EXPORTER = BOARDS = (
    "overview",
    "service",
    "containers",
    "slos",
    "stores",
    "exporter",
)
"""A dashboard's name is the name of its file and the end of its uid."""

MAX_UID = 40
"""Grafana refuses longer uids."""

_HASH = 8


def board_uid(project: str, board: str) -> str:
    """Return the uid of a dashboard: stable, and different in each project, even if a long name is cut."""
    uid = f"{project}-{board}"
    if len(uid) <= MAX_UID:
        return uid
    digest = hashlib.sha256(project.encode()).hexdigest()[:_HASH]
    kept = MAX_UID - len(board) - _HASH - 2
    return f"{project[:kept].rstrip('-')}-{digest}-{board}"


def board_path(project: str, board: str) -> str:
    """Return the dashboard's path below Grafana's URL."""
    return f"/d/{board_uid(project, board)}"
