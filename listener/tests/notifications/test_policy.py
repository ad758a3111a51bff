from datetime import UTC

import pytest

from ecc_listener.notifications.notice import DROPPED, Details, Key, Notice, Notification, Problem
from ecc_listener.notifications.policy import NotificationPolicy, Timing

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
START = 1_795_000_000_000_000
PACE = Timing(MINUTE, 10 * MINUTE, DAY)


class Time:
    """Lets minutes pass at a desk, and keeps what it tells."""

    def __init__(self, pace: Timing = PACE) -> None:
        self.pace = pace
        self.now_us = START
        self.wrong: dict[Key, Problem] = {}
        self.ended: dict[Key, Details] = {}
        self.rows: dict[int, tuple[Notice, bool]] = {}
        self.told: list[Notification] = []
        self.policy = NotificationPolicy(pace, [], [], 1)

    def begins(self, *names: str, kind: str = "silent") -> None:
        for name in names:
            self.wrong[kind, name] = Problem(kind, name, None, self.now_us - 30 * MINUTE, {})

    def ends(self, *names: str, kind: str = "silent") -> None:
        for name in names:
            del self.wrong[kind, name]

    def passes(self, time_us: int, *, more_expected: bool = False) -> list[list[tuple[str, str]]]:
        """Give what was told meanwhile: mail by mail, what happened to whom."""
        before = len(self.told)
        for _ in range(time_us // MINUTE):
            self.now_us += MINUTE
            changes = self.policy.decide(
                self.wrong, self.ended, self.now_us, UTC, more_expected=more_expected
            )
            self.policy.adopt(changes)
            self.rows |= {row[0].number: row for row in changes.notices}
            if changes.notification:
                self.told.append(changes.notification)
        return [[(one.state, one.notice.subject) for one in mail.entries] for mail in self.told[before:]]

    def restarts(self) -> None:
        pending = [notice for notice, is_done in self.rows.values() if not is_done]
        done = [notice for notice, is_done in self.rows.values() if is_done]
        self.policy = NotificationPolicy(self.pace, pending, done, max(self.rows, default=0) + 1)


@pytest.fixture
def time() -> Time:
    return Time()


def test_what_begins_within_a_minute_is_one_mail(time: Time) -> None:
    time.begins("A", "B")
    assert time.passes(2 * MINUTE) == [[("new", "A"), ("new", "B")]]


def test_it_is_told_once_then_mute_then_reminded_of_and_rarer(time: Time) -> None:
    time.begins("A")
    assert time.passes(DAY) == [[("new", "A")]]
    assert time.passes(2 * MINUTE) == [[("reminder", "A")]]
    assert time.passes(DAY + HOUR) == []
    assert time.passes(DAY) == [[("reminder", "A")]]
    assert time.passes(3 * DAY) == []
    assert len(time.passes(35 * DAY)) == 5


def test_what_is_urgent_is_reminded_of_each_time(time: Time) -> None:
    time.begins("", kind="all_silent")
    assert len(time.passes(10 * DAY)) == 10


def test_the_end_is_told_once_with_what_is_known_then(time: Time) -> None:
    time.begins("A")
    time.passes(HOUR)
    time.ends("A")
    time.ended["silent", "A"] = {"missing": 9}
    assert time.passes(DAY) == [[("resolved", "A")]]
    notice = time.told[-1].entries[0].notice
    assert notice.details["missing"] == 9
    assert notice.resolved_us
    assert notice.resolved_us - notice.since_us == 91 * MINUTE


def test_the_end_of_what_was_never_told_is_not_told(time: Time) -> None:
    time.begins("A")
    time.passes(MINUTE)
    time.ends("A")
    assert time.passes(DAY) == []
    assert time.policy.pending == {}


def test_a_return_shorter_than_a_minute_is_no_end(time: Time) -> None:
    time.begins("A")
    time.passes(HOUR)
    time.ends("A")
    time.passes(MINUTE)
    time.begins("A")
    assert time.passes(HOUR) == []


def test_a_flapping_sensor_backs_off_with_the_count(time: Time) -> None:
    for _ in range(24):
        time.begins("A")
        time.passes(30 * MINUTE)
        time.ends("A")
        time.passes(30 * MINUTE)
    assert len(time.told) == 2
    time.begins("A")
    mails = time.passes(2 * DAY)
    assert mails[0] == [("new", "A")]
    assert ("How often", "the 25th time recently; short ones are not reported") in (
        time.told[-len(mails)].entries[0].words.details
    )


def test_what_comes_back_for_long_is_told_again_within_the_hour(time: Time) -> None:
    time.begins("A")
    time.passes(HOUR)
    time.ends("A")
    time.passes(HOUR)
    time.begins("A")
    assert time.passes(61 * MINUTE) == [[("new", "A")]]


def test_one_that_falls_silent_waits_for_those_that_look_like_it(time: Time) -> None:
    time.begins("A")
    assert time.passes(5 * MINUTE, more_expected=True) == []
    time.begins("B", "C")
    assert time.passes(3 * MINUTE) == [[("new", "A"), ("new", "B"), ("new", "C")]]
    cause = time.told[0].common_cause
    assert cause
    assert "3 sensors silent at once" in cause
    time.begins("D")
    assert len(time.passes(15 * MINUTE, more_expected=True)) == 1


def test_those_who_fell_silent_together_are_told_of_together_when_they_are_back(time: Time) -> None:
    time.begins("A", "B", "C")
    time.passes(HOUR)
    for name in "ABC":
        time.ends(name)
        time.passes(3 * MINUTE)
    assert time.passes(HOUR) == []
    assert [(one.state, one.notice.subject) for one in time.told[-1].entries] == [
        ("resolved", "A"),
        ("resolved", "B"),
        ("resolved", "C"),
    ]


def test_one_of_them_that_stays_away_does_not_hold_the_others_up(time: Time) -> None:
    time.begins("A", "B")
    time.passes(HOUR)
    time.ends("A")
    assert time.passes(12 * MINUTE) == [[("resolved", "A")]]


def test_a_restart_neither_doubles_nor_forgets(time: Time) -> None:
    time.begins("A")
    time.passes(HOUR)
    time.restarts()
    assert time.passes(HOUR) == []
    time.ends("A")
    time.passes(MINUTE)
    time.restarts()
    assert time.passes(HOUR) == [[("resolved", "A")]]
    time.restarts()
    assert time.passes(DAY) == []


def test_the_first_sensors_are_one_mail(time: Time) -> None:
    for number in range(10):
        time.begins(f"N{number}", kind="new")
        time.passes(MINUTE)
    mails = time.passes(HOUR)
    assert [len(mail) for mail in mails] == [10]


def test_what_is_no_longer_watched_ends_without_a_word(time: Time) -> None:
    time.begins("A")
    time.passes(HOUR)
    time.ends("A")
    time.ended["silent", "A"] = {DROPPED: 1}
    assert time.passes(DAY) == []
    assert time.policy.pending == {}


def test_what_no_mail_could_tell_is_kept_but_not_told(time: Time) -> None:
    time.begins("", kind="mail")
    assert time.passes(DAY) == []
    assert ("mail", "") in time.policy.pending


def test_the_gravest_stands_first(time: Time) -> None:
    time.begins("A", kind="battery_low")
    time.begins("B", kind="too_cold")
    assert time.passes(2 * MINUTE) == [[("new", "B"), ("new", "A")]]


def test_in_one_message_open_notices_come_before_resolved_ones_the_most_severe_first(time: Time) -> None:
    time.begins("Z", kind="too_cold")
    time.passes(2 * MINUTE)
    time.ends("Z", kind="too_cold")
    time.begins("B")
    time.begins("A", kind="too_dry")
    assert time.passes(2 * MINUTE) == [[("new", "B"), ("new", "A"), ("resolved", "Z")]]


def test_a_notice_says_when_its_reminder_comes_and_an_event_has_none(time: Time) -> None:
    time.begins("A")
    time.begins("B", kind="moved")
    time.passes(2 * MINUTE)
    (mail,) = time.told
    next_us = {entry.notice.subject: entry.next_us for entry in mail.entries}
    assert next_us == {"A": mail.at_us + DAY, "B": None}
    sent = {notice.subject: notice for notice, _ in time.rows.values()}
    assert sent["A"].resolved_us is None
    assert sent["B"].resolved_us == mail.at_us


def test_how_often_something_began_is_forgotten_after_a_day_of_quiet(time: Time) -> None:
    for _ in range(2):
        time.begins("A")
        time.passes(2 * HOUR)
        time.ends("A")
        time.passes(HOUR)
    time.passes(2 * DAY)
    time.policy.forget_old(time.now_us)
    time.begins("A")
    assert time.passes(2 * MINUTE) == [[("new", "A")]]
    assert "times" not in time.told[-1].entries[0].notice.details


def test_the_second_beginning_within_a_day_is_counted_as_such(time: Time) -> None:
    for _ in range(2):
        time.begins("A")
        time.passes(2 * HOUR)
        time.ends("A")
        time.passes(10 * MINUTE)
    counts = [notice.details.get("times") for notice, _ in time.rows.values()]
    assert counts == [None, 2]


def minutes_until_told(time: Time, most: int = 3_000) -> int:
    for minute in range(1, most):
        if time.passes(MINUTE):
            return minute
    raise AssertionError


def test_reminders_come_after_one_two_four_and_then_seven_days(time: Time) -> None:
    time.begins("A", kind="too_cold")
    time.passes(2 * MINUTE)
    days = [minutes_until_told(time, 12_000) / (24 * 60) for _ in range(6)]
    assert [round(one, 2) for one in days] == [1, 2, 4, 7, 7, 7]


def test_of_what_lasts_for_weeks_one_reminder_a_week_is_enough(time: Time) -> None:
    time.begins("A", kind="battery_low")
    time.passes(2 * MINUTE)
    assert [round(minutes_until_told(time, 12_000) / (24 * 60), 2) for _ in range(2)] == [7, 7]


def test_each_return_within_a_day_must_last_twice_as_long_up_to_a_day(time: Time) -> None:
    waits = []
    for _ in range(8):
        time.begins("A", kind="too_cold")
        waits.append(minutes_until_told(time))
        time.ends("A", kind="too_cold")
        time.passes(3 * MINUTE)
    # A minute passes before it is seen.
    assert waits == [2, 61, 121, 241, 481, 961, 1441, 1441]
    # What begins anew does not join another message either.
    time.begins("A", "B", kind="too_cold")
    assert time.passes(2 * MINUTE) == [[("new", "B")]]


def test_new_sensors_are_waited_for_a_while_but_not_for_ever(time: Time) -> None:
    time.begins("A", kind="new")
    # A quarter of an hour after the last one, where 10 min are usual.
    assert minutes_until_told(time) == 16
    time = Time()
    for number in range(20):
        time.begins(f"B{number}", kind="new")
        if mails := time.passes(5 * MINUTE):
            break
    # An hour after the first one, together with all others.
    assert (number, len(mails[0])) == (12, 13)


def test_an_end_that_waits_for_its_siblings_joins_no_other_message(time: Time) -> None:
    time.begins("A", "B")
    time.passes(2 * MINUTE)
    time.ends("A")
    time.passes(MINUTE)
    time.begins("C", kind="too_cold")
    assert time.passes(3 * MINUTE) == [[("new", "C")]]
    assert time.passes(10 * MINUTE) == [[("resolved", "A")]]


def test_a_beginning_that_waits_for_others_joins_no_message_but_an_ordinary_one_does(time: Time) -> None:
    time.begins("A")
    time.passes(MINUTE // 2, more_expected=True)
    time.begins("B", kind="too_cold")
    assert time.passes(2 * MINUTE, more_expected=True) == [[("new", "B")]]
    assert time.passes(10 * MINUTE, more_expected=True) == [[("new", "A")]]
    time.begins("", kind="all_silent")
    assert time.passes(2 * MINUTE) == [[("new", "")]]


def test_notices_that_begin_at_once_have_numbers_of_their_own(time: Time) -> None:
    time.begins("A", "B", "C")
    time.passes(2 * MINUTE)
    time.begins("D")
    time.passes(2 * MINUTE)
    assert sorted(time.rows) == [1, 2, 3, 4]
    assert [time.rows[number][0].subject for number in (1, 2, 3, 4)] == ["A", "B", "C", "D"]


def test_what_ended_a_day_ago_to_the_minute_is_forgotten() -> None:
    for gap, times in ((DAY - 2 * MINUTE, 2), (DAY, None)):
        again = Time()
        again.begins("A", kind="too_cold")
        again.passes(5 * MINUTE)
        again.ends("A", kind="too_cold")
        again.passes(MINUTE)
        again.passes(gap)
        again.policy.forget_old(again.now_us)
        again.begins("A", kind="too_cold")
        again.passes(MINUTE)
        assert again.policy.pending["too_cold", "A"].details.get("times") == times


def test_a_restart_knows_how_often_something_began(time: Time) -> None:
    for _ in range(2):
        time.begins("A", kind="too_cold")
        time.passes(2 * HOUR)
        time.ends("A", kind="too_cold")
        time.passes(3 * MINUTE)
    time.restarts()
    time.begins("A", kind="too_cold")
    time.passes(MINUTE)
    assert time.policy.pending["too_cold", "A"].details["times"] == 3


def test_what_no_mail_could_tell_keeps_nothing_else_from_being_told(time: Time) -> None:
    time.begins("", kind="mail")
    time.passes(2 * MINUTE)
    time.begins("A")
    assert time.passes(2 * MINUTE) == [[("new", "A")]]
