"""PURE: an occasion goes in, the letter that tells of it comes out."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

from ecc_listener.local_time import day_and_time, duration
from ecc_listener.notifications.body import Block, Sheet, Table, html, plain
from ecc_listener.notifications.notice import KINDS, Occasion, Telling
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


class Letter(NamedTuple):
    """What is written, without from and to; `picture` is a PNG that the HTML shows."""

    subject: str
    plain: str
    html: str
    picture: bytes | None = None


def letter(subject: str, sheet: Sheet, picture: bytes | None = None) -> Letter:
    """Make a letter of a sheet. Its subject is one line, whatever came from the network into it."""
    return Letter(clean(subject, _MAX_SUBJECT), plain(sheet), html(sheet), picture)


def compose(occasion: Occasion, zone: tzinfo) -> Letter:
    """Tell an occasion: what and where, since when, what was last seen, the likely cause, and what to do."""
    subject = _subject(occasion)
    if len(occasion.tellings) > _MANY or (occasion.common_cause and len(occasion.tellings) > 1):
        parts = _in_short(occasion, zone)
    else:
        alone = len(occasion.tellings) == 1
        parts = [_block(telling, occasion.at_us, zone, alone=alone) for telling in occasion.tellings]
    foot = (
        *_next(occasion, zone),
        f"Written by the ECC listener on {day_and_time(occasion.at_us, 0, zone)}.",
    )
    return letter(subject, Sheet(subject, _lead(occasion), tuple(parts), None, foot))


def _subject(occasion: Occasion) -> str:
    tellings = occasion.tellings
    first = tellings[0]
    if occasion.common_cause and len(tellings) > 1:
        return occasion.common_cause.rstrip(".")
    headline = f"Still: {first.words.headline}" if first.state == "still" else first.words.headline
    return headline if len(tellings) == 1 else f"{headline}, and {len(tellings) - 1} more"


def _lead(occasion: Occasion) -> tuple[str, ...]:
    """Count what began, goes on and is over, where that is mixed."""
    states = {"new": "began", "still": "still on", "over": "over"}
    counts = {words: sum(one.state == state for one in occasion.tellings) for state, words in states.items()}
    said = [f"{count} {words}" for words, count in counts.items() if count]
    return (f"{len(occasion.tellings)} things in one mail: {', '.join(said)}.",) if len(said) > 1 else ()


def _block(telling: Telling, at_us: int, zone: tzinfo, *, alone: bool) -> Block:
    notice, words = telling.notice, telling.words
    rows = [_since(telling, at_us, zone)]
    if notice.over_us is not None and telling.state == "over":
        rows.append(("Over", day_and_time(notice.over_us, at_us, zone)))
    if telling.state == "still" and notice.times_told:
        rows.append(("Told", f"{notice.times_told + 1} times, this one included"))
    rows += words.facts
    if words.cause:
        rows.append(("Likely cause", words.cause))
    if words.advice:
        rows.append(("What to do", words.advice))
    title = "" if alone else f"Still: {words.headline}" if telling.state == "still" else words.headline
    return Block(title, tuple(row for row in rows if row[1]), _tone(telling))


def _since(telling: Telling, at_us: int, zone: tzinfo) -> tuple[str, str]:
    since_us, over_us = telling.notice.since_us, telling.notice.over_us
    when = day_and_time(since_us, at_us, zone)
    if over_us is not None and telling.state == "over":
        return "Since", f"{when} (it lasted {duration(over_us - since_us)})"
    return "When" if _is_event(telling) else "Since", f"{when} ({duration(at_us - since_us)} ago)"


def _in_short(occasion: Occasion, zone: tzinfo) -> list[Block | Table]:
    """Say the common cause, or the gravest thing, in full; of each other one only a line."""
    first = occasion.tellings[0]
    if occasion.common_cause:
        # The cause is the mail's title.
        begun = min(occasion.tellings, key=lambda telling: telling.notice.since_us)
        advice = _COMMON_ADVICE.get(first.notice.kind, "")
        rows = [_since(begun, occasion.at_us, zone), *([("What to do", advice)] if advice else [])]
        parts: list[Block | Table] = [Block("", tuple(rows), _tone(first))]
        left = occasion.tellings
    else:
        parts = [_block(first, occasion.at_us, zone, alone=False)]
        left = occasion.tellings[1:]
    titles = {"new": "Began", "still": "Still on", "over": "Over"}
    for state, title in titles.items():
        tellings = [telling for telling in left[:_MAX_TOLD] if telling.state == state]
        if tellings:
            parts.append(_lines(title, tellings, occasion.at_us, zone))
    if len(left) > _MAX_TOLD:
        parts.append(Block("", (("More", f"{len(left) - _MAX_TOLD} more, which page and status show"),)))
    return parts


def _lines(title: str, tellings: Sequence[Telling], at_us: int, zone: tzinfo) -> Table:
    """Give a line each, with those facts beside it that all of them have."""
    facts = [dict(telling.words.facts) for telling in tellings]
    beside = [label for label in _BESIDE if all(label in one for one in facts)]
    if beside:
        lines = [
            (telling.words.headline, *(one[label] for label in beside))
            for telling, one in zip(tellings, facts, strict=True)
        ]
        return Table("", (title, *beside), tuple(lines))
    since = [day_and_time(telling.notice.since_us, at_us, zone) for telling in tellings]
    lines = [(telling.words.headline, when) for telling, when in zip(tellings, since, strict=True)]
    return Table("", (title, "Since"), tuple(lines))


def _is_event(telling: Telling) -> bool:
    kind = KINDS.get(telling.notice.kind)
    return kind is not None and kind.is_event


def _tone(telling: Telling) -> str:
    if _is_event(telling):
        return "plain"
    return "good" if telling.state == "over" else "bad"


def _next(occasion: Occasion, zone: tzinfo) -> tuple[str, ...]:
    going_on = [one for one in occasion.tellings if one.state != "over" and not _is_event(one)]
    if not going_on:
        return ()
    times = [telling.next_us for telling in going_on if telling.next_us is not None]
    if not times:
        return ("The next mail comes when it is over.",)
    when = day_and_time(min(times), occasion.at_us, zone)
    return (f"The next mail comes when it is over, or as a reminder on {when} if it goes on.",)
