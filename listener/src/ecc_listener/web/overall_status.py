"""The overall status: all is well, or what is wrong, since when, and what to do.

Problems of sensors and readings are found by the listener, and stored as notices. Added here is only what a
listener that isn't running, or can't write, can't store itself.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from ecc_listener.health import Health, is_fresh
from ecc_listener.monitoring.out_of_range import BEYOND, OutOfRange, in_words
from ecc_listener.notifications.notice import Notice
from ecc_listener.notifications.wording.texts import describe
from ecc_listener.web.latest import SensorNow
from ecc_listener.web.preferences import Preferences, utc_iso_us
from ecc_listener.web.snapshot import Snapshot

_OUTDATED = "the page shows what was known then."
_HOUR_US = 3_600_000_000


class PageProblem(NamedTuple):
    """Something that is wrong, in words; `kind` is that of a notice, or of what only the page sees."""

    kind: str
    sensor: str
    """Empty if it is about the system."""
    headline: str
    since_us: int | None
    cause: str | None
    advice: str
    details: tuple[tuple[str, str], ...] = ()
    is_early: bool = False
    """Whether it is only a value that is beyond a limit now, and may not last."""


def headline(problems: list[PageProblem], muted: int = 0) -> str:
    """Return the overall status in one line; so many sensors are muted."""
    if not problems:
        if not muted:
            return "All is well"
        return f"All else is well; {muted} sensor{'s are' if muted > 1 else ' is'} muted"
    if all(problem.is_early for problem in problems):
        return BEYOND[len(problems) > 1].format(len(problems))
    return "1 problem needs attention" if len(problems) == 1 else f"{len(problems)} problems need attention"


def problems_of(snapshot: Snapshot, preferences: Preferences) -> list[PageProblem]:
    """Return what is wrong, the most severe first."""
    noticed = [_noticed(notice, snapshot.at_us, preferences) for notice in snapshot.notices]
    kinds = {problem.kind for problem in noticed}
    status, now = snapshot.health, datetime.fromtimestamp(snapshot.at_us / 1e6, UTC)
    if status is None:
        own = [_stopped("The listener is not running", snapshot, preferences)]
    elif not is_fresh(status, now):
        written = preferences.when(utc_iso_us(status.written_utc), snapshot.at_us)
        own = [_stopped(f"The listener has not responded since {written}", snapshot, preferences)]
    else:
        own = _of_running(status, kinds)
    if snapshot.fault:
        advice = "Once that is fixed, the page shows the readings again by itself."
        own.append(
            PageProblem("database", "", "The database can't be read", None, f"{snapshot.fault}.", advice)
        )
    known = {(notice.kind, notice.subject) for notice in snapshot.notices}
    early = [
        _early(room, one, preferences)
        for room in snapshot.rooms
        for one in room.beyond
        if (one.kind, room.name) not in known
    ]
    return own + noticed + early


def _noticed(notice: Notice, now_us: int, preferences: Preferences) -> PageProblem:
    # By the hour: a text that changes every minute would make a screen reader talk all day.
    at_us = max(now_us - now_us % _HOUR_US, notice.noticed_us, notice.since_us)
    words = describe(notice, at_us, preferences.zone)
    return PageProblem(notice.kind, notice.subject, words.headline, notice.since_us, *words[1:])


def _early(room: SensorNow, one: OutOfRange, preferences: Preferences) -> PageProblem:
    words = in_words(one, lambda value_f: f"{preferences.temperature(value_f)} {preferences.unit}")
    if one.kind in room.has_limits:
        advice = "You get a message if it stays like that."
    else:
        off = f"{one.kind.replace('_', ' ')} = off"
        advice = (
            "No message is sent about it, because the limits file sets no limit for it."
            f' If it is usual there, write "{off}" below [{room.name}] in that file.'
        )
    return PageProblem(one.kind, room.name, f"{room.title}: {words}", None, None, advice, is_early=True)


def _stopped(headline: str, snapshot: Snapshot, preferences: Preferences) -> PageProblem:
    last_us = max((room.last_us for room in snapshot.rooms), default=None)
    last = (
        f"The newest reading is from {preferences.when(last_us, snapshot.at_us)}; {_OUTDATED}"
        if last_us
        else None
    )
    advice = "On the server, run make up to start it, and make logs to see why it ended."
    return PageProblem("listener", "", headline, last_us, last, advice)


def _of_running(status: Health, kinds: set[str]) -> list[PageProblem]:
    found = []
    if status.broker_fault and "all_silent" not in kinds:
        headline = "The listener is not connected to the broker"
        advice = "It keeps trying. If this lasts, run make up on the server, then make logs."
        found.append(PageProblem("broker", "", headline, None, f"{status.broker_fault}.", advice))
    if status.hearing_fault:
        headline = "The listener is connected to the broker, but can't hear the sensors"
        advice = "Correct that, then run make restart on the server."
        found.append(PageProblem("deaf", "", headline, None, f"{_sentence(status.hearing_fault)}.", advice))
    if status.store_fault and "store" not in kinds:
        advice = "The broker keeps them meanwhile. Once that is fixed, the listener continues by itself."
        found.append(
            PageProblem("store", "", "Readings can't be stored", None, f"{status.store_fault}.", advice)
        )
    return found


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
