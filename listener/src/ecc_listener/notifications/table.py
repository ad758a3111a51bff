"""Notices, and what the monitor has learned: the tables `ECCNotice` and `ECCWatch`.

All functions take a connection; those that write are run in one transaction by `Store.change`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from ecc_listener.notifications.notice import KINDS, Details, Notice
from ecc_listener.storage.connection import utc_text, utc_us
from ecc_listener.storage.statements import Connection

KEPT_DAYS = 400
MAX_KEPT = 20_000
"""Resolved notices: names come from the network, so their number must be limited."""

_DAY_US = 86_400_000_000
_COLUMNS = "number, kind, sensorName, location, sinceUTC, overUTC, toldUTC, timesTold, facts, noticedUTC"
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in (*_COLUMNS.split(", ")[1:], "done"))


def write_notices(connection: Connection, notices: Iterable[tuple[Notice, bool]]) -> None:
    """Write notices, each with whether it is done: resolved, and nothing is left to be sent."""
    connection.executemany(
        f"INSERT INTO ECCNotice ({_COLUMNS}, done) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        f" ON CONFLICT (number) DO UPDATE SET {_REPLACED}",
        [
            (
                one.number,
                one.kind,
                one.subject,
                one.location,
                utc_text(one.since_us),
                _text(one.resolved_us),
                _text(one.sent_us),
                one.times_sent,
                json.dumps(one.details),
                utc_text(one.noticed_us),
                int(done),
            )
            for one, done in notices
        ],
    )


def pending(connection: Connection) -> list[Notice]:
    """Return open notices, and resolved ones whose end has not been sent yet."""
    return _notices(connection, "WHERE done = 0 ORDER BY number")


def open_now(connection: Connection) -> list[Notice]:
    """Return open notices, the most severe first; none in a database of an older version."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ECCNotice'").fetchone():
        return []
    found = _notices(connection, "WHERE done = 0 AND overUTC IS NULL ORDER BY number")
    return sorted(
        (one for one in found if not KINDS[one.kind].is_event), key=lambda one: KINDS[one.kind].rank
    )


def newest(connection: Connection, count: int) -> list[Notice]:
    """Return the notices that began last, the newest first."""
    return _notices(connection, "ORDER BY number DESC LIMIT ?", count)


def between(
    connection: Connection, subjects: Sequence[str], start_us: int, end_us: int, count: int
) -> list[Notice]:
    """Return what was wrong with a sensor, or with all at once, at some time of a range; the newest first."""
    names = ", ".join("?" * len(subjects))
    which = (
        f"WHERE (sensorName IN ({names}) OR kind = 'all_silent') AND sinceUTC < ?"
        " AND (overUTC IS NULL OR overUTC >= ?) ORDER BY number DESC LIMIT ?"
    )
    return _notices(connection, which, *subjects, utc_text(end_us), utc_text(start_us), count)


def resolved_since(connection: Connection, time_us: int) -> list[Notice]:
    """Return the notices that are done and ended after a time, the newest at the end."""
    return _notices(connection, "WHERE done = 1 AND overUTC > ? ORDER BY number", utc_text(time_us))


def last_sent(connection: Connection) -> Notice | None:
    """Return the notice that was sent last."""
    sent = _notices(connection, "WHERE toldUTC IS NOT NULL ORDER BY toldUTC DESC, number LIMIT 1")
    return sent[0] if sent else None


def next_number(connection: Connection) -> int:
    """Return the number of the next notice."""
    number: int = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM ECCNotice").fetchone()[0]
    return number


def shift(connection: Connection, by_us: int) -> list[Notice]:
    """Move the times of what is pending by a jump of the clock, so that what lies between stays as it was."""
    moved = [
        one._replace(
            since_us=one.since_us + by_us,
            noticed_us=one.noticed_us + by_us,
            resolved_us=None if one.resolved_us is None else one.resolved_us + by_us,
            sent_us=None if one.sent_us is None else one.sent_us + by_us,
        )
        for one in pending(connection)
    ]
    write_notices(connection, [(one, False) for one in moved])
    return moved


def drop_old(connection: Connection, now_us: int) -> None:
    """Drop what was over long ago, and the oldest where there are too many."""
    connection.execute(
        "DELETE FROM ECCNotice WHERE done = 1 AND (overUTC < ? OR number <="
        " (SELECT number FROM ECCNotice ORDER BY number DESC LIMIT 1 OFFSET ?))",
        (utc_text(now_us - KEPT_DAYS * _DAY_US), MAX_KEPT),
    )


def memories(connection: Connection) -> dict[str, str]:
    """Return what the watch has kept of each sensor, by its name."""
    return dict(connection.execute("SELECT sensorName, memory FROM ECCWatch"))


def keep_memories(connection: Connection, memories: Mapping[str, str], known: Iterable[str]) -> None:
    """Keep these, and forget those of all who aren't `known` any more."""
    connection.executemany(
        "INSERT INTO ECCWatch VALUES (?, ?) ON CONFLICT (sensorName) DO UPDATE SET memory = excluded.memory",
        list(memories.items()),
    )
    names = {name for (name,) in connection.execute("SELECT sensorName FROM ECCWatch")}
    connection.executemany(
        "DELETE FROM ECCWatch WHERE sensorName = ?", [(name,) for name in names.difference(known)]
    )


def _notices(connection: Connection, which: str, *values: object) -> list[Notice]:
    return [
        Notice(
            number,
            kind,
            subject,
            place,
            utc_us(since),
            _us(over),
            _us(told),
            times,
            _details(facts),
            utc_us(noticed),
        )
        for number, kind, subject, place, since, over, told, times, facts, noticed in connection.execute(
            f"SELECT {_COLUMNS} FROM ECCNotice {which}", values
        )
    ]


def _details(text: str) -> Details:
    details: Details = json.loads(text)
    return details


def _text(time_us: int | None) -> str | None:
    return None if time_us is None else utc_text(time_us)


def _us(text: str | None) -> int | None:
    return None if text is None else utc_us(text)
