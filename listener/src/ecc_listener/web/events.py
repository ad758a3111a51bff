"""The view Events: open and resolved notices, the mails about them, and rejected messages."""

import sqlite3
from datetime import UTC
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ecc_listener.local_time import duration
from ecc_listener.notifications import table
from ecc_listener.notifications.notice import KINDS, Notice
from ecc_listener.notifications.wording.texts import describe
from ecc_listener.storage.connection import StoreError, utc_text, utc_us
from ecc_listener.storage.quarantine import REALLY_REJECTED
from ecc_listener.web.reader import reading
from ecc_listener.web.responses import data, page, preferences_of, requested_count, wants_json

_SHOWN, _MOST = 50, 500
_PAYLOAD_SHOWN = 300
_PRINTABLE = range(0x20, 0x7F)


class Mail(NamedTuple):
    """The subject of a mail, and when it was written."""

    added_us: int
    subject: str


class RejectedMessage(NamedTuple):
    """A message that isn't a reading."""

    received_us: int
    topic: str
    reason: str
    payload: str
    """What is shown of it, see `printable`."""
    payload_bytes: int
    replayed_us: int | None


class Events(NamedTuple):
    """The newest of each kind, the newest first."""

    notices: list[Notice]
    mails: list[Mail]
    rejected: list[RejectedMessage]
    rejected_count: int
    dropped_count: int
    sends: bool
    """Whether there is a channel to which notices are sent."""


def read(connection: sqlite3.Connection, count: int) -> Events:
    """Return the newest `count` of each."""
    query = "SELECT addedUTC, subject FROM ECCMail ORDER BY number DESC LIMIT ?"
    mails = [Mail(utc_us(utc), subject) for utc, subject in connection.execute(query, (count,))]
    kept: int = connection.execute(f"SELECT count(*) FROM ECCRejected WHERE {REALLY_REJECTED}").fetchone()[0]
    dropped = "SELECT coalesce(sum(value), 0) FROM ECCCounter WHERE name = 'rejected dropped'"
    dropped_count: int = connection.execute(dropped).fetchone()[0]
    notices = table.newest(connection, count)
    sends = connection.execute("SELECT 1 FROM ECCMailWay LIMIT 1").fetchone() is not None
    return Events(notices, mails, _rejected(connection, count), kept, dropped_count, sends)


def _rejected(connection: sqlite3.Connection, count: int) -> list[RejectedMessage]:
    rows = connection.execute(
        "SELECT receivedUTC, topic, reason, coalesce(substr(payload, 1, ?), x''), length(payload),"
        " replayedUTC FROM ECCRejected ORDER BY rowid DESC LIMIT ?",
        (_PAYLOAD_SHOWN, count),
    )
    return [
        RejectedMessage(
            utc_us(utc), topic, reason, printable(payload, size), size, replayed and utc_us(replayed)
        )
        for utc, topic, reason, payload, size, replayed in rows
    ]


def printable(payload: bytes, size: int) -> str:
    """Return bytes from the network as printable ASCII, all others as hexadecimal numbers."""
    shown = "".join(
        chr(byte) if byte in _PRINTABLE and byte != ord("\\") else f"\\x{byte:02x}" for byte in payload
    )
    return shown if size <= len(payload) else f"{shown} …"


def events(request: Request) -> Response:
    """Return the view."""
    count = requested_count(request, _SHOWN, _MOST)
    database = request.app.state.settings.database_file_path
    try:
        with reading(database) as connection:
            found, fault = read(connection, count), None
    except StoreError as error:
        if wants_json(request):
            raise
        found, fault = Events([], [], [], 0, 0, sends=False), str(error)
    if wants_json(request):
        return data(_described(found, request.app.state.now_us()))
    preferences, now_us = preferences_of(request), request.app.state.now_us()
    notices = [(one, describe(one, now_us, preferences.zone), _lasted(one)) for one in found.notices]
    still_open = [one for one in notices if one[2] is None and not KINDS[one[0].kind].is_event]
    resolved = [one for one in notices if one not in still_open]
    return page(
        request,
        "events.html",
        events=found,
        open=still_open,
        resolved=resolved,
        sends=found.sends,
        fault=fault,
    )


def _lasted(notice: Notice) -> str | None:
    """Return how long a notice lasted; None if it is open, or has no end."""
    if notice.resolved_us is None or KINDS[notice.kind].is_event:
        return None
    return duration(notice.resolved_us - notice.since_us)


def _described(found: Events, now_us: int) -> dict[str, object]:
    return {
        "notices": [_notice(one, now_us) for one in found.notices],
        "letters": [{"written_utc": utc_text(one.added_us), "subject": one.subject} for one in found.mails],
        "quarantine": [
            {
                "received_utc": utc_text(one.received_us),
                "topic": one.topic,
                "reason": one.reason,
                "payload_shown": one.payload,
                "payload_bytes": one.payload_bytes,
                "replayed_utc": None if one.replayed_us is None else utc_text(one.replayed_us),
            }
            for one in found.rejected
        ],
        "quarantine_count": found.rejected_count,
        "quarantine_dropped_count": found.dropped_count,
    }


def _notice(notice: Notice, now_us: int) -> dict[str, object]:
    return {
        "number": notice.number,
        "kind": notice.kind,
        "sensor": notice.subject or None,
        "location": notice.location,
        "headline": describe(notice, now_us, UTC).headline,
        "since_utc": utc_text(notice.since_us),
        "over_utc": None if notice.resolved_us is None else utc_text(notice.resolved_us),
        "told_utc": None if notice.sent_us is None else utc_text(notice.sent_us),
        "times_told": notice.times_sent,
    }


ROUTES: list[BaseRoute] = [Route("/events", events), Route("/api/events", events)]
