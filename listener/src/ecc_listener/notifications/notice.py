"""What a notice and a notification are.

`monitoring` finds problems. A notice is one problem from its beginning to its end, kept in the database. A
notification is what one message says: all that begins, lasts or is resolved within a minute.
"""

from typing import Literal, NamedTuple

Details = dict[str, float | str | None]
"""What is known about a problem, by name and unit, such as `battery_percent`; `DETAILS` has all names."""
DETAILS = (
    *(
        "temperature_f",
        "humidity_percent",
        "battery_percent",
        "battery_v",
        "rssi_dbm",
        "interval_s",
        "missing",
    ),
    *(
        "limit",
        "limit_of",
        "is_unavailable",
        "hours",
        "spread_f",
        "days_left",
        "before_f",
        "after_f",
        "signal_dbm",
    ),
    *("macs", "old_place", "new_place", "old_mac", "new_mac"),
    *("broker_fault", "sensors", "last_us", "fault", "free_bytes", "folder", "count", "topic", "reason"),
    *("field", "value", "lacking", "newest_us", "files", "problems", "file", "jump_s", "examples", "times"),
)
Key = tuple[str, str]
"""The kind of a notice and the sensor it is about: there is one such notice at a time."""


DROPPED = "dropped"
"""A detail of a notice that ends without a message, because the sensor isn't monitored any more."""


class Kind(NamedTuple):
    """The properties of one kind of notice."""

    rank: int
    """The most severe kind has 0."""
    is_event: bool = False
    """It happened, is reported once, and has no end."""
    is_urgent: bool = False
    """Reminders do not become rarer."""
    is_slow: bool = False
    """It lasts for weeks: one reminder a week is enough."""
    is_quiet: bool = False
    """Only shown on the page and in the status, because no mail could report it."""


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
    "above": Kind(9),
    "below": Kind(9),
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
    "incomplete": Kind(22, is_event=True),
    "other_name": Kind(23, is_event=True),
    "new_many": Kind(24),
    "new": Kind(25, is_event=True),
}


class Problem(NamedTuple):
    """What a rule finds wrong now; `location` is where the sensor says it is."""

    kind: str
    subject: str
    location: str | None
    since_us: int
    details: Details


class Notice(NamedTuple):
    """A problem from its beginning to its end. Times are microseconds since 1970; None means not yet."""

    number: int
    """Its row in the table `ECCNotice`."""
    kind: str
    """What is wrong, such as "silent"."""
    subject: str
    """The sensor's name; empty if it is about the system."""
    location: str | None
    since_us: int
    resolved_us: int | None
    sent_us: int | None
    """When it was last sent. If it was never sent, its end isn't sent either."""
    times_sent: int
    details: Details
    noticed_us: int = 0
    """When the rule was sure of it."""

    @property
    def key(self) -> Key:
        """Its kind and sensor: there is one such notice at a time."""
        return self.kind, self.subject


class Words(NamedTuple):
    """A notice in words, for mail, page and status alike."""

    headline: str
    """What and where: "Office: no reading since 14:20"."""
    cause: str | None
    """The likely cause, as a sentence."""
    advice: str
    """What to do, as a sentence or two."""
    details: tuple[tuple[str, str], ...]
    """What was last seen: ("Battery", "4 %")."""


class Entry(NamedTuple):
    """A notice as part of a notification."""

    notice: Notice
    state: Literal["new", "reminder", "resolved"]
    words: Words
    next_us: int | None
    """When it is sent again if it lasts."""


class Notification(NamedTuple):
    """What one message says, the most severe first."""

    at_us: int
    entries: tuple[Entry, ...]
    common_cause: str | None
    """What is probably behind all of it: "25 sensors silent at once: ..."."""
