"""Which problems exist now, and which are about to begin or end.

A rule judges something as bad, good, or neither (between the two thresholds of a hysteresis). It becomes a
problem once it has been bad for a minimum time, and ends once it has been good for a minimum time.
"""

from collections.abc import Iterable

from ecc_listener.notifications.notice import DROPPED, Details, Key, Problem


class Conditions:
    """The problems, those that ended (with their details), and those that may begin or end."""

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        """Start with known problems."""
        self.problems: dict[Key, Problem] = {one[:2]: one for one in problems}
        self.ended: dict[Key, Details] = {}
        self._turning: dict[Key, int] = {}

    def judge(
        self, one: Problem, *, bad: bool | None, now_us: int, after_us: int = 0, back_us: int = 0
    ) -> None:
        """Apply what a rule found; `after_us` and `back_us` are the minimum times of bad and good.

        The problem began at `one.since_us`, or when it turned bad if that is 0.
        """
        key = one[:2]
        known = self.problems.get(key)
        if bad is None or bad is (known is not None):
            if self._turning:
                self._turning.pop(key, None)
            if bad and known:
                self.problems[key] = known._replace(location=one.location, details=one.details)
            return
        turned_us = self._turning.setdefault(key, now_us)
        if now_us - turned_us < (after_us if bad else back_us):
            return
        del self._turning[key]
        if bad:
            self.ended.pop(key, None)
            self.problems[key] = one if one.since_us else one._replace(since_us=turned_us)
        else:
            del self.problems[key]
            self.ended[key] = one.details

    def is_quiet(self, key: Key) -> bool:
        """Return whether something good was no problem before either, so there is nothing to judge."""
        if key in self.problems:
            return False
        if self._turning:
            self._turning.pop(key, None)
        return True

    def add_event(self, one: Problem) -> None:
        """Add an event, which stays until it is sent."""
        self.problems.setdefault(one[:2], one)

    def drop(self, key: Key) -> None:
        """End a problem without a message, because the sensor is no longer monitored."""
        self._turning.pop(key, None)
        if self.problems.pop(key, None):
            self.ended[key] = {DROPPED: 1}
