"""PURE: a notice goes in, plain words for it come out: what and where, the likely cause, what to do.

What came from the network is shortened and robbed of everything that isn't printable; whoever shows the words
as HTML has to escape them.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo

from ecc_listener.notifications.notice import Entry, Notice, Words
from ecc_listener.notifications.wording.phrases import Context, ordinal
from ecc_listener.notifications.wording.sensor import SENSOR_WORDS
from ecc_listener.notifications.wording.system import STACK_WORDS

_SAYING = SENSOR_WORDS | STACK_WORDS
_MANY = 3


def say(notice: Notice, now_us: int, zone: tzinfo) -> Words:
    """Put a notice into words, as it is at a time, in a zone."""
    scene = Context(notice, now_us, zone)
    said = _SAYING[notice.kind](scene)
    times = scene.number("times")
    if times:
        said = said._replace(
            details=(
                *said.details,
                ("How often", f"the {ordinal(times)} time lately; short ones are not told"),
            )
        )
    return said


def common_cause(entries: Sequence[Entry]) -> str | None:
    """Say what may be behind all of it, where much of one kind begins at once."""
    new = Counter(one.notice.kind for one in entries if one.state == "new")
    silent, cold = new["silent"], new["too_cold"]
    if silent >= _MANY and silent == len(entries):
        return f"{silent} sensors silent at once: most likely their access point or its power is off."
    if cold >= _MANY and cold == len(entries):
        return f"{cold} rooms too cold at once: most likely the heating is off."
    return None
