"""The outbox: messages to be sent, and how far each channel has come. Tables `ECCMail` and `ECCMailWay`.

A channel is a mail address, or a line of the file of apprise URLs. Each channel gets its messages in their
order; how far it has come is one number, so none is left out and none overtakes another. A channel that
fails is tried again with growing pauses, and does not delay the others.

A message is for all channels or, by `ECCMailChoice`, for those that made one choice of kinds. The number of a
channel is always just before its next message, so that what is for others is behind it, whatever it chooses
later.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ecc_listener.notifications.errors import SendFault
from ecc_listener.notifications.message import Message
from ecc_listener.recipients import EVERYTHING
from ecc_listener.storage.connection import utc_text, utc_us
from ecc_listener.storage.statements import Connection

KEPT_DAYS = 35
"""How long sent messages are kept."""
MAX_WAITING = 1_000
"""How many messages may wait for one channel: at two a day, more than a year."""

_MINUTE_US = 60_000_000
_DAY_US = 24 * 60 * _MINUTE_US
_LONGEST_PAUSE_US = 60 * _MINUTE_US
_GIVE_UP_TRIES = 8


_IS_FOR = (
    "NOT EXISTS (SELECT 1 FROM ECCMailChoice AS one WHERE one.number = mail.number AND one.choice <>"
    " coalesce((SELECT choice FROM ECCMailWayChoice AS its WHERE its.way = ECCMailWay.way), ''))"
)
_WAITING = f"FROM ECCMail AS mail WHERE mail.number > doneUpTo AND {_IS_FOR}"
"""The messages that wait for a row of `ECCMailWay`."""


class Due(NamedTuple):
    """A message that is due, and the channel to send it to."""

    channel: str
    number: int
    message_id: str
    """The part before the @, the same however often it is sent."""
    added_us: int
    message: Message


class Outcome(NamedTuple):
    """What became of a message on a channel; without a fault it was accepted."""

    channel: str
    number: int
    fault: SendFault | None


class ChannelState(NamedTuple):
    """The state of a channel; times in microseconds since 1970, None means not yet."""

    channel: str
    waiting: int
    last_sent_us: int | None
    failing_since_us: int | None
    fault: str | None


def set_channels(
    connection: Connection, channels: Sequence[str], choices: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Set the channels, all due at once; return how many messages were waiting for removed ones.

    `choices` has the kinds that a channel gets, if that isn't everything.

    What was waiting for a removed channel goes to the new ones: most likely somebody has corrected an
    address. Otherwise a new channel starts with the next message.
    """
    known = {state.channel: state.waiting for state in states(connection)}
    gone = [channel for channel in known if channel not in channels]
    rows = connection.execute("SELECT way, doneUpTo FROM ECCMailWay").fetchall()
    of_removed = [number for channel, number in rows if channel in gone]
    done_up_to = min(of_removed) if of_removed else _last_number(connection)
    connection.executemany("DELETE FROM ECCMailWay WHERE way = ?", [(channel,) for channel in gone])
    connection.executemany(
        "INSERT INTO ECCMailWay (way, doneUpTo) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(channel, done_up_to) for channel in channels],
    )
    connection.execute("DELETE FROM ECCMailWayChoice")
    connection.executemany(
        "INSERT INTO ECCMailWayChoice VALUES (?, ?)",
        [(channel, choice) for channel, choice in (choices or {}).items() if choice and channel in channels],
    )
    _skip(connection)
    connection.execute("UPDATE ECCMailWay SET nextTryUTC = NULL")
    # If nothing is waiting, nothing would prove that a fault has been fixed.
    connection.execute(
        "UPDATE ECCMailWay SET tries = 0, fault = NULL, failingSinceUTC = NULL"
        f" WHERE NOT EXISTS (SELECT 1 {_WAITING})"
    )
    return {channel: known[channel] for channel in gone}


def add(connection: Connection, message: Message, now_us: int) -> None:
    """Add a message for all channels after all others."""
    _add(connection, message, now_us)


def _add(connection: Connection, message: Message, now_us: int) -> int:
    number = _last_number(connection) + 1
    connection.execute("DELETE FROM ECCMailChoice WHERE number >= ?", (number,))
    connection.execute(
        "INSERT INTO ECCMail (number, addedUTC, messageId, subject, plain, html, picture)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (number, utc_text(now_us), secrets.token_hex(12), *message),
    )
    return number


def _skip(connection: Connection) -> None:
    """Let each channel pass what is not for it, up to just before its next message."""
    connection.execute(
        f"UPDATE ECCMailWay SET doneUpTo = coalesce((SELECT min(mail.number) - 1 {_WAITING}),"
        " CASE WHEN doneUpTo < ? THEN ? ELSE doneUpTo END)",
        [_last_number(connection)] * 2,
    )


def add_by_choice(connection: Connection, write: Callable[[str], Message | None], now_us: int) -> None:
    """Add what `write` returns for each choice that a channel has made; None means no message."""
    query = (
        "SELECT DISTINCT coalesce(choice, '')"
        " FROM ECCMailWay LEFT JOIN ECCMailWayChoice USING (way) ORDER BY 1"
    )
    choices = [row[0] for row in connection.execute(query)] or [EVERYTHING]
    messages = {choice: write(choice) for choice in choices}
    if len({*messages.values()}) == 1:
        if message := messages[choices[0]]:
            add(connection, message, now_us)
        return
    for choice, one in messages.items():
        if one:
            number = _add(connection, one, now_us)
            connection.execute("INSERT INTO ECCMailChoice VALUES (?, ?)", (number, choice))
    _skip(connection)


def due(connection: Connection, now_us: int) -> list[Due]:
    """Return the next message for each channel that may be tried now."""
    # A clock that was wrong must not delay a try for longer than a pause.
    window = utc_text(now_us), utc_text(now_us + _LONGEST_PAUSE_US)
    channels = connection.execute(
        f"SELECT way, (SELECT min(mail.number) {_WAITING}) FROM ECCMailWay"
        " WHERE nextTryUTC IS NULL OR nextTryUTC <= ? OR nextTryUTC > ? ORDER BY rowid",
        window,
    ).fetchall()
    found = []
    for channel, number in channels:
        row = connection.execute(
            "SELECT number, messageId, addedUTC, subject, plain, html, picture FROM ECCMail WHERE number = ?",
            (number,),
        ).fetchone()
        if row:
            found.append(Due(channel, row[0], row[1], utc_us(row[2]), Message(*row[3:])))
    return found


def record(connection: Connection, outcome: Outcome, now_us: int) -> bool:
    """Store what became of a message; return whether it was given up.

    It is given up only if the server has refused this very message for two hours, so that later ones do not
    wait for ever.
    """
    channel, number, fault = outcome
    now_utc = utc_text(now_us)
    if fault is None:
        connection.execute(
            "UPDATE ECCMailWay SET doneUpTo = ?, tries = 0, nextTryUTC = NULL, failingSinceUTC = NULL,"
            " fault = NULL, lastSentUTC = ? WHERE way = ? AND doneUpTo < ?",
            (number, now_utc, channel, number),
        )
        _skip(connection)
        return False
    row = connection.execute("SELECT tries FROM ECCMailWay WHERE way = ?", (channel,)).fetchone()
    tries = (row[0] if row else 0) + 1
    gives_up = fault.is_of_message and tries >= _GIVE_UP_TRIES
    pause_us = min(_LONGEST_PAUSE_US, _MINUTE_US * 2 ** min(tries - 1, 10))
    connection.execute(
        "UPDATE ECCMailWay SET tries = ?, nextTryUTC = ?, fault = ?, "
        " doneUpTo = CASE WHEN doneUpTo < ? THEN ? ELSE doneUpTo END,"
        " failingSinceUTC = coalesce(failingSinceUTC, ?) WHERE way = ?",
        (
            0 if gives_up else tries,
            utc_text(now_us + pause_us),
            fault.line,
            *[number if gives_up else 0] * 2,
            now_utc,
            channel,
        ),
    )
    return gives_up


def states(connection: Connection) -> list[ChannelState]:
    """Return the state of each channel."""
    rows = connection.execute(
        f"SELECT way, (SELECT count(*) {_WAITING}),"
        " lastSentUTC, failingSinceUTC, fault FROM ECCMailWay ORDER BY rowid"
    )
    return [
        ChannelState(channel, waiting, sent_utc and utc_us(sent_utc), since_utc and utc_us(since_utc), fault)
        for channel, waiting, sent_utc, since_utc, fault in rows
    ]


def prune(connection: Connection, now_us: int) -> int:
    """Delete what was sent long ago, and the oldest if too many wait; return how many of these."""
    last = _last_number(connection)
    dropped = max([0, *(state.waiting - MAX_WAITING for state in states(connection))])
    connection.execute(
        "UPDATE ECCMailWay SET doneUpTo = ? WHERE doneUpTo < ?", (last - MAX_WAITING, last - MAX_WAITING)
    )
    connection.execute(
        "DELETE FROM ECCMail WHERE addedUTC < ?"
        " AND number <= (SELECT coalesce(min(doneUpTo), ?) FROM ECCMailWay)",
        (utc_text(now_us - KEPT_DAYS * _DAY_US), last),
    )
    connection.execute("DELETE FROM ECCMailChoice WHERE number NOT IN (SELECT number FROM ECCMail)")
    return dropped


def _last_number(connection: Connection) -> int:
    # A number must never be used again, even if all messages are deleted: channels remember theirs.
    used = "SELECT max(number) AS number FROM ECCMail UNION ALL SELECT max(doneUpTo) FROM ECCMailWay"
    number: int = connection.execute(f"SELECT coalesce(max(number), 0) FROM ({used}) AS used").fetchone()[0]
    return number
