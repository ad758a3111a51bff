"""PURE: whether all is well, in one line; or what is wrong, since when, and what to do.

What is wrong with sensors and their readings the watch has decided, and written down as notices. Here is
added only what a listener that doesn't run, or can't write, can't write down itself.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ecc_listener import health
from ecc_listener.health import Health
from ecc_listener.notifications.notice import Notice
from ecc_listener.notifications.wording.texts import describe
from ecc_listener.web.preferences import Preferences, utc_iso_us
from ecc_listener.web.snapshot import Snapshot

_AS_BEFORE = "what is shown is what was known then."
_HOUR_US = 3_600_000_000


class Trouble(NamedTuple):
    """One thing that is wrong, in words; `kind` is a notice's, or names what only the page sees."""

    kind: str
    sensor: str
    """Empty where it is about the stack."""
    headline: str
    since_us: int | None
    cause: str | None
    advice: str
    details: tuple[tuple[str, str], ...] = ()


def headline(troubles: list[Trouble]) -> str:
    """Say in one line how things stand."""
    if not troubles:
        return "All is well"
    return "One thing needs somebody" if len(troubles) == 1 else f"{len(troubles)} things need somebody"


def troubles_of(snapshot: Snapshot, preferences: Preferences) -> list[Trouble]:
    """Say what is wrong, the gravest first."""
    noticed = [_noticed(notice, snapshot.at_us, preferences) for notice in snapshot.notices]
    kinds = {trouble.kind for trouble in noticed}
    told, now = snapshot.health, datetime.fromtimestamp(snapshot.at_us / 1e6, UTC)
    if told is None:
        own = [_stopped("The listener is not running", snapshot, preferences)]
    elif abs(now - datetime.fromisoformat(told.written_utc)) > timedelta(seconds=health.STALE_S):
        written = preferences.when(utc_iso_us(told.written_utc), snapshot.at_us)
        own = [_stopped(f"The listener has said nothing since {written}", snapshot, preferences)]
    else:
        own = _of_running(told, kinds)
    if snapshot.fault:
        advice = "The page shows it again by itself as soon as that is mended."
        own.append(Trouble("database", "", "The database can't be read", None, f"{snapshot.fault}.", advice))
    return own + noticed


def _noticed(notice: Notice, now_us: int, preferences: Preferences) -> Trouble:
    # By the hour: a text that changes each minute would have a screen reader talk all day.
    at_us = max(now_us - now_us % _HOUR_US, notice.noticed_us, notice.since_us)
    words = describe(notice, at_us, preferences.zone)
    return Trouble(notice.kind, notice.subject, words.headline, notice.since_us, *words[1:])


def _stopped(headline: str, snapshot: Snapshot, preferences: Preferences) -> Trouble:
    last_us = max((room.last_us for room in snapshot.rooms), default=None)
    last = (
        f"The newest reading is of {preferences.when(last_us, snapshot.at_us)}; {_AS_BEFORE}"
        if last_us
        else None
    )
    advice = "On the server, make up starts it; make logs says why it ended."
    return Trouble("listener", "", headline, last_us, last, advice)


def _of_running(told: Health, kinds: set[str]) -> list[Trouble]:
    found = []
    if told.broker_fault and "all_silent" not in kinds:
        headline = "The listener is not connected to the broker"
        advice = "It tries again by itself. If this lasts: make up on the server, then make logs."
        found.append(Trouble("broker", "", headline, None, f"{told.broker_fault}.", advice))
    if told.store_fault and "store" not in kinds:
        advice = "The broker keeps them meanwhile, and it goes on by itself as soon as that is mended."
        found.append(Trouble("store", "", "Readings can't be stored", None, f"{told.store_fault}.", advice))
    return found
