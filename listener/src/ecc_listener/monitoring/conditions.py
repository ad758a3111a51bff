"""PURE: what is wrong at the moment, and what is about to turn.

A rule says of its matter: bad, good, or neither (between the two limits of a hysteresis). What is bad becomes
wrong when it has been so for a minimum time, and what is wrong is over when it has been good for one.
"""

from collections.abc import Iterable

from ecc_listener.notifications.notice import DROPPED, Details, Key, Problem


class Conditions:
    """What is wrong now, what ended and with which facts, and what may turn."""

    def __init__(self, wrong: Iterable[Problem] = ()) -> None:
        """Begin with what is known to be wrong."""
        self.wrong: dict[Key, Problem] = {one[:2]: one for one in wrong}
        self.ended: dict[Key, Details] = {}
        self._turning: dict[Key, int] = {}

    def judge(
        self, one: Problem, *, bad: bool | None, now_us: int, after_us: int = 0, back_us: int = 0
    ) -> None:
        """Take a rule's word; `after_us` and `back_us` are the minimum times of bad and good.

        A thing has been wrong since `one.since_us`, or since it turned bad where that is 0.
        """
        key = one[:2]
        known = self.wrong.get(key)
        if bad is None or bad is (known is not None):
            if self._turning:
                self._turning.pop(key, None)
            if bad and known:
                self.wrong[key] = known._replace(location=one.location, details=one.details)
            return
        turned_us = self._turning.setdefault(key, now_us)
        if now_us - turned_us < (after_us if bad else back_us):
            return
        del self._turning[key]
        if bad:
            self.ended.pop(key, None)
            self.wrong[key] = one if one.since_us else one._replace(since_us=turned_us)
        else:
            del self.wrong[key]
            self.ended[key] = one.details

    def is_quiet(self, key: Key) -> bool:
        """Say whether a thing that isn't bad now was none before either: there is nothing to judge."""
        if key in self.wrong:
            return False
        if self._turning:
            self._turning.pop(key, None)
        return True

    def happened(self, one: Problem) -> None:
        """Take an event, which stays until it is told."""
        self.wrong.setdefault(one[:2], one)

    def drop(self, key: Key) -> None:
        """Let nothing more be said of a thing that is no longer watched."""
        self._turning.pop(key, None)
        if self.wrong.pop(key, None):
            self.ended[key] = {DROPPED: 1}
