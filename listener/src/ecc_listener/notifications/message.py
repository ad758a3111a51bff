"""The message that reports a notification, in plain text and HTML."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

from ecc_listener.local_time import day_and_time, duration
from ecc_listener.notifications.body import Block, Body, Table, html, plain
from ecc_listener.notifications.notice import KINDS, Entry, Notification
from ecc_listener.notifications.wording.phrases import clean
from ecc_listener.recipients import wants

_MAX_SUBJECT = 140
_MANY = 5
_MAX_LISTED = 50
_BESIDE = ("Battery", "Signal")
"""Details that are listed beside a sensor if there are many: they show which one is different."""
_COMMON_ADVICE = {
    "silent": "Check whether the access point has power, and whether its Wi-Fi is available.",
    "too_cold": "Check whether the heating works.",
}
"""What to do about a common cause, by the kind of problem that it brings about."""
_STATES = {"new": "New", "reminder": "Reminder", "resolved": "Resolved"}


class Message(NamedTuple):
    """What is sent, without sender and recipients; `picture` is a PNG that the HTML shows."""

    subject: str
    plain: str
    html: str
    picture: bytes | None = None


def message(subject: str, body: Body, picture: bytes | None = None) -> Message:
    """Return the message with a body. Its subject is one line, whatever came from the network into it."""
    return Message(clean(subject, _MAX_SUBJECT), plain(body), html(body), picture)


def compose(notification: Notification, zone: tzinfo) -> Message:
    """Return the message of a notification: what and where, since when, the likely cause, what to do."""
    subject = _subject(notification)
    if len(notification.entries) > _MANY or (notification.common_cause and len(notification.entries) > 1):
        parts = _in_short(notification, zone)
    else:
        alone = len(notification.entries) == 1
        parts = [_block(entry, notification.at_us, zone, alone=alone) for entry in notification.entries]
    foot = (
        *_next_message(notification, zone),
        f"Sent by the ECC listener on {day_and_time(notification.at_us, 0, zone)}.",
    )
    return message(subject, Body(subject, _lead(notification), tuple(parts), None, foot))


def for_choice(notification: Notification, choice: str, zone: tzinfo) -> Message | None:
    """Return the message for recipients who chose some kinds; None if it has nothing for them."""
    entries = tuple(entry for entry in notification.entries if wants(choice, entry.notice.kind))
    # The common cause is that of all entries, or there is none.
    return compose(notification._replace(entries=entries), zone) if entries else None


def _subject(notification: Notification) -> str:
    entries = notification.entries
    if notification.common_cause and len(entries) > 1:
        return notification.common_cause.rstrip(".")
    headline = _headline(entries[0])
    return headline if len(entries) == 1 else f"{headline}, and {len(entries) - 1} more"


def _headline(entry: Entry) -> str:
    return entry.words.headline if entry.state == "new" else f"{_STATES[entry.state]}: {entry.words.headline}"


def _lead(notification: Notification) -> tuple[str, ...]:
    """Return how many notices are new, reminders and resolved, if there is more than one state."""
    counts = {state: sum(one.state == state for one in notification.entries) for state in _STATES}
    words = {"new": "new", "reminder": "still open", "resolved": "resolved"}
    counted = [f"{count} {words[state]}" for state, count in counts.items() if count]
    if len(counted) == 1:
        return ()
    return (f"This message has {len(notification.entries)} notices: {', '.join(counted)}.",)


def _block(entry: Entry, at_us: int, zone: tzinfo, *, alone: bool) -> Block:
    notice, words = entry.notice, entry.words
    rows = [_since(entry, at_us, zone)]
    if notice.resolved_us is not None and entry.state == "resolved":
        rows.append(("Resolved", day_and_time(notice.resolved_us, at_us, zone)))
    if entry.state == "reminder" and notice.times_sent:
        rows.append(("Sent", f"{notice.times_sent + 1} times, including this message"))
    rows += words.details
    if words.cause:
        rows.append(("Likely cause", words.cause))
    if words.advice:
        rows.append(("What to do", words.advice))
    return Block("" if alone else _headline(entry), tuple(row for row in rows if row[1]), _tone(entry))


def _since(entry: Entry, at_us: int, zone: tzinfo) -> tuple[str, str]:
    since_us, resolved_us = entry.notice.since_us, entry.notice.resolved_us
    when = day_and_time(since_us, at_us, zone)
    if resolved_us is not None and entry.state == "resolved":
        return "Since", f"{when} (for {duration(resolved_us - since_us)})"
    return "When" if _is_event(entry) else "Since", f"{when} ({duration(at_us - since_us)} ago)"


def _in_short(notification: Notification, zone: tzinfo) -> list[Block | Table]:
    """Return the common cause, or the most severe problem, in full, and one line for each of the others."""
    first = notification.entries[0]
    if notification.common_cause:
        # The cause is the title of the message.
        earliest = min(notification.entries, key=lambda entry: entry.notice.since_us)
        advice = _COMMON_ADVICE.get(first.notice.kind, "")
        rows = [_since(earliest, notification.at_us, zone), *([("What to do", advice)] if advice else [])]
        parts: list[Block | Table] = [Block("", tuple(rows), _tone(first))]
        rest = notification.entries
    else:
        parts = [_block(first, notification.at_us, zone, alone=False)]
        rest = notification.entries[1:]
    titles = {"new": "New", "reminder": "Still open", "resolved": "Resolved"}
    for state, title in titles.items():
        entries = [entry for entry in rest[:_MAX_LISTED] if entry.state == state]
        if entries:
            parts.append(_lines(title, entries, notification.at_us, zone))
    if len(rest) > _MAX_LISTED:
        more = f"{len(rest) - _MAX_LISTED} more; the page and `make status` show them"
        parts.append(Block("", (("More", more),)))
    return parts


def _lines(title: str, entries: Sequence[Entry], at_us: int, zone: tzinfo) -> Table:
    """Return one line for each entry, with those details beside it that all of them have."""
    details = [dict(entry.words.details) for entry in entries]
    beside = [label for label in _BESIDE if all(label in one for one in details)]
    if beside:
        lines = [
            (entry.words.headline, *(one[label] for label in beside))
            for entry, one in zip(entries, details, strict=True)
        ]
        return Table("", (title, *beside), tuple(lines))
    since = [day_and_time(entry.notice.since_us, at_us, zone) for entry in entries]
    lines = [(entry.words.headline, when) for entry, when in zip(entries, since, strict=True)]
    return Table("", (title, "Since"), tuple(lines))


def _is_event(entry: Entry) -> bool:
    kind = KINDS.get(entry.notice.kind)
    return kind is not None and kind.is_event


def _tone(entry: Entry) -> str:
    if _is_event(entry):
        return "plain"
    return "good" if entry.state == "resolved" else "bad"


def _next_message(notification: Notification, zone: tzinfo) -> tuple[str, ...]:
    still_open = [one for one in notification.entries if one.state != "resolved" and not _is_event(one)]
    if not still_open:
        return ()
    times = [entry.next_us for entry in still_open if entry.next_us is not None]
    if not times:
        return ("The next message comes when it is resolved.",)
    when = day_and_time(min(times), notification.at_us, zone)
    return (f"The next message comes when it is resolved, or as a reminder on {when}.",)
