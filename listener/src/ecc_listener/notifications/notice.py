"""PURE: what a notice is, and what one mail tells of it.

`watch` says what is wrong; a notice is one such thing from its beginning to its end, kept in the database.
An occasion is what one mail tells: all that began, goes on or is over within a minute.
"""

from typing import Literal, NamedTuple

Details = dict[str, float | str | None]
"""What a kind's words need, by name with the unit in it, such as `battery_percent`."""
Key = tuple[str, str]
"""The kind of a notice, and whom it is about: there is one at a time."""


DROPPED = "dropped"
"""The fact of a notice that ends without a word, since it isn't watched any more."""


class Kind(NamedTuple):
    """What is to be known of one kind of notice."""

    rank: int
    """The gravest kind has 0."""
    is_event: bool = False
    """It happened, is told once, and has no end."""
    is_urgent: bool = False
    """Reminders don't become rarer."""
    is_slow: bool = False
    """It takes weeks: a reminder a week is enough from the first one on."""
    is_quiet: bool = False
    """Shown on page and status; no mail could tell it."""


KINDS = {
    "all_silent": Kind(0, is_urgent=True),
    "store": Kind(1, is_urgent=True),
    "disk": Kind(2, is_urgent=True),
    "too_cold": Kind(3),
    "silent": Kind(4),
    "too_hot": Kind(5),
    "too_damp": Kind(6),
    "damp_risk": Kind(7),
    "near_dew_point": Kind(8),
    "too_dry": Kind(9),
    "battery_low": Kind(10, is_slow=True),
    "frozen": Kind(11),
    "jumps": Kind(12),
    "two_boards": Kind(13),
    "weak_signal": Kind(14, is_slow=True),
    "quarantine": Kind(15),
    "backup": Kind(16),
    "archive": Kind(17),
    "damaged": Kind(17),
    "limits_file": Kind(18),
    "mail": Kind(19, is_quiet=True),
    "clock": Kind(20, is_event=True),
    "moved": Kind(21, is_event=True),
    "new_many": Kind(22),
    "new": Kind(23, is_event=True),
}


class Problem(NamedTuple):
    """What the watch finds wrong now; `place` is where the sensor says it is."""

    kind: str
    subject: str
    location: str | None
    since_us: int
    details: Details


class Notice(NamedTuple):
    """One thing that is wrong, or was. Times are microseconds since 1970; None: not yet."""

    number: int
    """Its row in the table `ECCNotice`."""
    kind: str
    """What is wrong, such as "silent"."""
    subject: str
    """The sensor's name; empty where it is about the stack."""
    location: str | None
    since_us: int
    resolved_us: int | None
    sent_us: int | None
    """When it was last told; what was never told has no end to tell either."""
    times_sent: int
    details: Details
    noticed_us: int = 0
    """When the watch was sure of it."""

    @property
    def key(self) -> Key:
        """What it is about: there is one such notice at a time."""
        return self.kind, self.subject


class Words(NamedTuple):
    """A notice in plain words, for mail, page and status alike."""

    headline: str
    """What and where: "Office: no reading since 14:20"."""
    cause: str | None
    """The likely cause, as a sentence."""
    advice: str
    """What to do, as a sentence or two."""
    details: tuple[tuple[str, str], ...]
    """What was last seen: ("Battery", "4 %")."""


class Entry(NamedTuple):
    """A notice as one mail tells it."""

    notice: Notice
    state: Literal["new", "still", "over"]
    words: Words
    next_us: int | None
    """When it would be told again, if it goes on."""


class Notification(NamedTuple):
    """What one mail tells, the gravest first."""

    at_us: int
    entries: tuple[Entry, ...]
    common_cause: str | None
    """What may be behind all of it: "25 sensors silent at once: ..."."""
