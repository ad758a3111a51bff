"""What is drawn beside a sensor's line: its limits, and the notices about it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecc_listener.monitoring.limits import FIELD_KINDS
from ecc_listener.monitoring.limits_file import read_limits
from ecc_listener.notifications import table
from ecc_listener.notifications.notice import KINDS, Notice
from ecc_listener.notifications.wording.texts import describe
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError
from ecc_listener.web.preferences import Preferences
from ecc_listener.web.reader import reading

MAX_NOTICES = 200
"""The newest ones of one sensor in one response."""
_LIMITED = {
    "too_cold": "temperature_f",
    "too_hot": "temperature_f",
    "too_dry": "humidity_percent",
    "too_damp": "humidity_percent",
}


def limits(path: Path, name: str, location: str | None) -> list[dict[str, Any]]:
    """Return the limits that can be drawn; none if the limits file can't be read."""
    found = read_limits(path).of(name, location) or {}
    limited = [(kind, kind, measure) for kind, measure in _LIMITED.items() if kind in found]
    # Of a further number, such as `above co2_ppm`; its field is in lower case.
    for kind in found:
        shown, _, field = kind.partition(" ")
        if kind.startswith(FIELD_KINDS):
            limited.append((kind, shown, field))
    return [
        {"kind": shown, "measure": measure, "value": round(found[kind].value, 4)}
        for kind, shown, measure in limited
    ]


def notices(settings: Settings, names: Sequence[str], start_us: int, end_us: int) -> list[Notice]:
    """Return the notices about a sensor, by all its names, or about all sensors, in a range.

    None are returned if there is no live file.
    """
    try:
        with reading(settings.database_file_path) as connection:
            found = table.between(connection, names, start_us, end_us, MAX_NOTICES)
    except StoreError:
        return []
    return [notice for notice in found if not _is_event(notice) or notice.since_us >= start_us]


def described(notice: Notice, preferences: Preferences, now_us: int) -> dict[str, Any]:
    """Return a notice as it was while it lasted; an event has no end, and is shown as a moment."""
    resolved_us = notice.since_us if _is_event(notice) else notice.resolved_us
    return {
        "kind": notice.kind,
        "headline": describe(
            notice._replace(resolved_us=None), notice.resolved_us or now_us, preferences.zone
        ).headline,
        "since_s": notice.since_us // 1_000_000,
        "over_s": None if resolved_us is None else resolved_us // 1_000_000,
    }


def _is_event(notice: Notice) -> bool:
    return KINDS[notice.kind].is_event
