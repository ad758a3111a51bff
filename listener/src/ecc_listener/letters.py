"""PURE: an occasion goes in, the letter that tells of it comes out."""

from datetime import tzinfo
from typing import NamedTuple

from ecc_listener.local_time import day_and_time, duration
from ecc_listener.notices import Occasion, Telling
from ecc_listener.sheets import Block, Sheet, Table, clean, html, plain

_MAX_SUBJECT = 140
_MANY = 5
_MAX_TOLD = 50
_TONES = {"new": "bad", "still": "bad", "over": "good"}


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
    tellings = occasion.tellings
    subject = _subject(occasion)
    lead = _lead(occasion)
    if len(tellings) > _MANY:
        parts: tuple[Block | Table, ...] = _in_short(occasion, zone)
    else:
        parts = tuple(_block(telling, occasion.at_us, zone, alone=len(tellings) == 1) for telling in tellings)
    foot = (f"Written by the ECC listener on {_full(occasion.at_us, zone)}.",)
    return letter(subject, Sheet(subject, lead, parts, None, (*_next(occasion, zone), *foot)))


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
    rows = [("Since", f"{day_and_time(notice.since_us, at_us, zone)} ({_ago(telling, at_us)})")]
    if notice.over_us is not None:
        rows.append(("Over", day_and_time(notice.over_us, at_us, zone)))
    if telling.state == "still" and notice.times_told:
        rows.append(("Told", f"{notice.times_told + 1} times, this one included"))
    rows += words.facts
    if words.cause:
        rows.append(("Likely cause", words.cause))
    if words.advice:
        rows.append(("What to do", words.advice))
    title = "" if alone else f"Still: {words.headline}" if telling.state == "still" else words.headline
    return Block(title, tuple(rows), _TONES[telling.state])


def _ago(telling: Telling, at_us: int) -> str:
    over_us = telling.notice.over_us
    if over_us is not None:
        return f"it lasted {duration(over_us - telling.notice.since_us)}"
    return f"{duration(at_us - telling.notice.since_us)} ago"


def _in_short(occasion: Occasion, zone: tzinfo) -> tuple[Block | Table, ...]:
    """Say cause and advice once for all who share them, and of each only a line."""
    groups: dict[tuple[str, str | None, str], list[Telling]] = {}
    for telling in occasion.tellings[:_MAX_TOLD]:
        key = telling.state, telling.words.cause, telling.words.advice
        groups.setdefault(key, []).append(telling)
    parts: list[Block | Table] = []
    for (state, cause, advice), tellings in groups.items():
        rows = [("Likely cause", cause)] if cause else []
        rows += [("What to do", advice)] if advice else []
        lines = tuple(_line(telling, occasion.at_us, zone) for telling in tellings)
        titles = {"new": "Began", "still": "Still on", "over": "Over"}
        parts.append(Block("", tuple(rows), _TONES[state])) if rows else None
        parts.append(Table("", (titles[state], "Since"), lines))
    left_out = len(occasion.tellings) - _MAX_TOLD
    if left_out > 0:
        parts.append(Block("", (("More", f"{left_out} more, which page and status show"),)))
    return tuple(parts)


def _line(telling: Telling, at_us: int, zone: tzinfo) -> tuple[str, str]:
    return telling.words.headline, day_and_time(telling.notice.since_us, at_us, zone)


def _next(occasion: Occasion, zone: tzinfo) -> tuple[str, ...]:
    times = [telling.next_us for telling in occasion.tellings if telling.next_us is not None]
    goes_on = any(telling.state != "over" for telling in occasion.tellings)
    if times:
        when = day_and_time(min(times), occasion.at_us, zone)
        return (f"The next mail comes when it is over, or as a reminder on {when} if it goes on.",)
    return ("The next mail comes when it is over.",) if goes_on else ()


def _full(time_us: int, zone: tzinfo) -> str:
    return day_and_time(time_us, 0, zone)
