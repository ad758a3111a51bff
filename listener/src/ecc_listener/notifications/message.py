"""PURE: an occasion goes in, the letter that tells of it comes out."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

from ecc_listener.local_time import day_and_time, duration
from ecc_listener.notifications.body import Block, Body, Table, html, plain
from ecc_listener.notifications.notice import KINDS, Entry, Notification
from ecc_listener.notifications.wording.phrases import clean

_MAX_SUBJECT = 140
_MANY = 5
_MAX_TOLD = 50
_BESIDE = ("Battery", "Signal")
"""Facts that stand beside a sensor where there are many: by them one sees which is the odd one out."""
_COMMON_ADVICE = {
    "silent": "See whether the access point has power, and whether its Wi-Fi is there.",
    "too_cold": "See whether the heating works.",
}
"""What to do about a common cause, by the kind of what it brings about."""


class Message(NamedTuple):
    """What is written, without from and to; `picture` is a PNG that the HTML shows."""

    subject: str
    plain: str
    html: str
    picture: bytes | None = None


def message(subject: str, sheet: Body, picture: bytes | None = None) -> Message:
    """Make a letter of a sheet. Its subject is one line, whatever came from the network into it."""
    return Message(clean(subject, _MAX_SUBJECT), plain(sheet), html(sheet), picture)


def compose(notification: Notification, zone: tzinfo) -> Message:
    """Tell an occasion: what and where, since when, what was last seen, the likely cause, and what to do."""
    subject = _subject(notification)
    if len(notification.entries) > _MANY or (notification.common_cause and len(notification.entries) > 1):
        parts = _in_short(notification, zone)
    else:
        alone = len(notification.entries) == 1
        parts = [_block(entry, notification.at_us, zone, alone=alone) for entry in notification.entries]
    foot = (
        *_next(notification, zone),
        f"Written by the ECC listener on {day_and_time(notification.at_us, 0, zone)}.",
    )
    return message(subject, Body(subject, _lead(notification), tuple(parts), None, foot))


def _subject(notification: Notification) -> str:
    entries = notification.entries
    first = entries[0]
    if notification.common_cause and len(entries) > 1:
        return notification.common_cause.rstrip(".")
    headline = f"Still: {first.words.headline}" if first.state == "still" else first.words.headline
    return headline if len(entries) == 1 else f"{headline}, and {len(entries) - 1} more"


def _lead(notification: Notification) -> tuple[str, ...]:
    """Count what began, goes on and is over, where that is mixed."""
    states = {"new": "began", "still": "still on", "over": "over"}
    counts = {
        words: sum(one.state == state for one in notification.entries) for state, words in states.items()
    }
    said = [f"{count} {words}" for words, count in counts.items() if count]
    return (f"{len(notification.entries)} things in one mail: {', '.join(said)}.",) if len(said) > 1 else ()


def _block(entry: Entry, at_us: int, zone: tzinfo, *, alone: bool) -> Block:
    notice, words = entry.notice, entry.words
    rows = [_since(entry, at_us, zone)]
    if notice.resolved_us is not None and entry.state == "over":
        rows.append(("Over", day_and_time(notice.resolved_us, at_us, zone)))
    if entry.state == "still" and notice.times_sent:
        rows.append(("Told", f"{notice.times_sent + 1} times, this one included"))
    rows += words.details
    if words.cause:
        rows.append(("Likely cause", words.cause))
    if words.advice:
        rows.append(("What to do", words.advice))
    title = "" if alone else f"Still: {words.headline}" if entry.state == "still" else words.headline
    return Block(title, tuple(row for row in rows if row[1]), _tone(entry))


def _since(entry: Entry, at_us: int, zone: tzinfo) -> tuple[str, str]:
    since_us, resolved_us = entry.notice.since_us, entry.notice.resolved_us
    when = day_and_time(since_us, at_us, zone)
    if resolved_us is not None and entry.state == "over":
        return "Since", f"{when} (it lasted {duration(resolved_us - since_us)})"
    return "When" if _is_event(entry) else "Since", f"{when} ({duration(at_us - since_us)} ago)"


def _in_short(notification: Notification, zone: tzinfo) -> list[Block | Table]:
    """Say the common cause, or the gravest thing, in full; of each other one only a line."""
    first = notification.entries[0]
    if notification.common_cause:
        # The cause is the mail's title.
        begun = min(notification.entries, key=lambda entry: entry.notice.since_us)
        advice = _COMMON_ADVICE.get(first.notice.kind, "")
        rows = [_since(begun, notification.at_us, zone), *([("What to do", advice)] if advice else [])]
        parts: list[Block | Table] = [Block("", tuple(rows), _tone(first))]
        left = notification.entries
    else:
        parts = [_block(first, notification.at_us, zone, alone=False)]
        left = notification.entries[1:]
    titles = {"new": "Began", "still": "Still on", "over": "Over"}
    for state, title in titles.items():
        entries = [entry for entry in left[:_MAX_TOLD] if entry.state == state]
        if entries:
            parts.append(_lines(title, entries, notification.at_us, zone))
    if len(left) > _MAX_TOLD:
        parts.append(Block("", (("More", f"{len(left) - _MAX_TOLD} more, which page and status show"),)))
    return parts


def _lines(title: str, entries: Sequence[Entry], at_us: int, zone: tzinfo) -> Table:
    """Give a line each, with those facts beside it that all of them have."""
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
    return "good" if entry.state == "over" else "bad"


def _next(notification: Notification, zone: tzinfo) -> tuple[str, ...]:
    going_on = [one for one in notification.entries if one.state != "over" and not _is_event(one)]
    if not going_on:
        return ()
    times = [entry.next_us for entry in going_on if entry.next_us is not None]
    if not times:
        return ("The next mail comes when it is over.",)
    when = day_and_time(min(times), notification.at_us, zone)
    return (f"The next mail comes when it is over, or as a reminder on {when} if it goes on.",)
