"""PURE: whether all is well, in one line; or what is wrong, since when, and what to do.

What is wrong with sensors and their readings the watch has decided, and written down as notices. Here is
added only what a listener that doesn't run can't write down itself.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ecc_listener import health
from ecc_listener.health import Health
from ecc_listener.web.sight import Sight
from ecc_listener.web.taste import Taste, utc_iso_us

_AS_BEFORE = "what is shown is what was known then."


class Trouble(NamedTuple):
    """One thing that is wrong, in words."""

    headline: str
    since_us: int | None
    cause: str | None
    advice: str
    sensor: str = ""
    """Empty where it is about the stack."""


class Verdict(NamedTuple):
    """What stands at the top."""

    headline: str
    troubles: tuple[Trouble, ...]

    @property
    def is_well(self) -> bool:
        """Say whether nobody is needed."""
        return not self.troubles


def verdict(troubles: Sequence[Trouble]) -> Verdict:
    """Give the line for what is wrong."""
    count = len(troubles)
    if not count:
        return Verdict("All is well", ())
    return Verdict(
        "One thing needs somebody" if count == 1 else f"{count} things need somebody", tuple(troubles)
    )


def of_stack(sight: Sight, taste: Taste) -> list[Trouble]:
    """Say what is wrong with listener and database, as far as it can be seen from here."""
    told, now = sight.health, datetime.fromtimestamp(sight.at_us / 1e6, UTC)
    last_us = max((room.last_us for room in sight.rooms), default=None)
    if told is None:
        troubles = [_stopped("The listener is not running", last_us, sight, taste)]
    elif abs(now - datetime.fromisoformat(told.written_utc)) > timedelta(seconds=health.STALE_S):
        written = taste.when(utc_iso_us(told.written_utc), sight.at_us)
        troubles = [_stopped(f"The listener has said nothing since {written}", last_us, sight, taste)]
    else:
        troubles = _of_running(told, now, sight.at_us, taste)
    if sight.fault:
        advice = "The page shows it again by itself as soon as that is mended."
        troubles.append(Trouble("The database can't be read", None, f"{sight.fault}.", advice))
    return troubles


def _stopped(headline: str, last_us: int | None, sight: Sight, taste: Taste) -> Trouble:
    last = f"The newest reading is of {taste.when(last_us, sight.at_us)}; {_AS_BEFORE}" if last_us else None
    return Trouble(headline, last_us, last, "On the server, make up starts it; make logs says why it ended.")


def _of_running(told: Health, now: datetime, now_us: int, taste: Taste) -> list[Trouble]:
    found = []
    if told.broker_fault:
        advice = "It tries again by itself. If this lasts: make up on the server, then make logs."
        headline = "The listener is not connected to the broker"
        found.append(Trouble(headline, None, f"{told.broker_fault}.", advice))
    if told.store_fault:
        advice = "The broker keeps them meanwhile, and it goes on by itself as soon as that is mended."
        found.append(Trouble("Readings can't be stored", None, f"{told.store_fault}.", advice))
    last = told.last_message_utc
    if last and now - datetime.fromisoformat(last) > timedelta(seconds=told.timer_check_s):
        since = taste.when(utc_iso_us(last), now_us)
        advice = "See that the sensors have power and their Wi-Fi is up; make logs says who was refused."
        found.append(Trouble(f"No sensor has sent anything since {since}", utc_iso_us(last), None, advice))
    return found
