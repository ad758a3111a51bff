"""PURE: what a notice is, and what one mail tells of it.

`watch` says what is wrong; a notice is one such thing from its beginning to its end, kept in the database.
An occasion is what one mail tells: all that began, goes on or is over within a minute.
"""

from typing import Literal, NamedTuple


class Notice(NamedTuple):
    """One thing that is wrong, or was. Times are microseconds since 1970; None: not yet."""

    number: int
    """Its row in the table `ECCNotice`."""
    kind: str
    """What is wrong, such as "silent"."""
    subject: str
    """The sensor's name; empty where it is about the stack."""
    place: str | None
    since_us: int
    over_us: int | None
    told_us: int | None
    """When it was last told; what was never told has no end to tell either."""
    times_told: int
    facts: dict[str, float | str | None]
    """What the kind's words need, by name with the unit in it, such as `battery_percent`."""


class Words(NamedTuple):
    """A notice in plain words, for mail, page and status alike."""

    headline: str
    """What and where: "Office: no reading since 14:20"."""
    cause: str | None
    """The likely cause, as a sentence."""
    advice: str
    """What to do, as a sentence or two."""
    facts: tuple[tuple[str, str], ...]
    """What was last seen: ("Battery", "4 %")."""


class Telling(NamedTuple):
    """A notice as one mail tells it."""

    notice: Notice
    state: Literal["new", "still", "over"]
    words: Words
    next_us: int | None
    """When it would be told again, if it goes on."""


class Occasion(NamedTuple):
    """What one mail tells, the gravest first."""

    at_us: int
    tellings: tuple[Telling, ...]
    common_cause: str | None
    """What may be behind all of it: "25 sensors silent at once: ..."."""
