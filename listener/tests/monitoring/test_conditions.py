from ecc_listener.monitoring.conditions import Conditions
from ecc_listener.notifications.notice import DROPPED, Problem

KEY = ("too_cold", "ECCTH01")


def problem(temperature_f: float = 40.0, location: str = "Office", since_us: int = 0) -> Problem:
    return Problem(*KEY, location, since_us, {"temperature_f": temperature_f})


def test_it_begins_once_it_has_been_bad_for_the_minimum_time() -> None:
    conditions = Conditions()
    for now_us, has_begun in ((1_000, False), (1_049, False), (1_050, True)):
        conditions.judge(problem(), bad=True, now_us=now_us, after_us=50)
        assert (KEY in conditions.problems) is has_begun
    assert conditions.problems[KEY].since_us == 1_000


def test_it_ends_once_it_has_been_good_for_the_minimum_time() -> None:
    conditions = Conditions([problem(since_us=1)])
    for now_us, has_ended in ((1_000, False), (1_049, False), (1_050, True)):
        conditions.judge(problem(50.0), bad=False, now_us=now_us, back_us=50)
        assert (KEY in conditions.ended) is has_ended
    assert conditions.problems == {}
    assert conditions.ended[KEY] == {"temperature_f": 50.0}


def test_without_a_minimum_time_it_begins_and_ends_at_once() -> None:
    conditions = Conditions()
    conditions.judge(problem(), bad=True, now_us=7)
    assert conditions.problems[KEY].since_us == 7
    conditions.judge(problem(), bad=False, now_us=8)
    assert KEY in conditions.ended


def test_a_value_within_the_hysteresis_starts_the_minimum_time_again() -> None:
    conditions = Conditions()
    conditions.judge(problem(), bad=True, now_us=1_000, after_us=50)
    conditions.judge(problem(), bad=None, now_us=1_020, after_us=50)
    conditions.judge(problem(), bad=True, now_us=1_030, after_us=50)
    conditions.judge(problem(), bad=True, now_us=1_060, after_us=50)
    assert conditions.problems == {}
    conditions.judge(problem(), bad=True, now_us=1_080, after_us=50)
    assert conditions.problems[KEY].since_us == 1_030


def test_while_it_lasts_it_has_the_newest_location_and_details() -> None:
    conditions = Conditions([problem(40.0, since_us=1)])
    conditions.judge(problem(38.0, "Crypt"), bad=True, now_us=9)
    assert conditions.problems[KEY] == problem(38.0, "Crypt", since_us=1)
    # Within the hysteresis it stays as it was.
    conditions.judge(problem(45.0), bad=None, now_us=10)
    assert conditions.problems[KEY] == problem(38.0, "Crypt", since_us=1)


def test_a_problem_that_returns_has_not_ended() -> None:
    conditions = Conditions([problem(since_us=1)])
    conditions.judge(problem(), bad=False, now_us=2)
    conditions.judge(problem(), bad=True, now_us=3)
    assert conditions.ended == {}
    assert conditions.problems[KEY].since_us == 3


def test_what_is_quiet_needs_no_judgement_and_starts_the_minimum_time_again() -> None:
    conditions = Conditions()
    assert conditions.is_quiet(KEY)
    conditions.judge(problem(), bad=True, now_us=1_000, after_us=50)
    assert conditions.is_quiet(KEY)
    conditions.judge(problem(), bad=True, now_us=1_060, after_us=50)
    assert conditions.problems == {}
    conditions.judge(problem(), bad=True, now_us=1_110, after_us=50)
    assert not conditions.is_quiet(KEY)


def test_an_event_keeps_its_first_details() -> None:
    conditions = Conditions()
    conditions.add_event(problem(40.0))
    conditions.add_event(problem(30.0))
    assert conditions.problems[KEY] == problem(40.0)


def test_what_is_dropped_ends_without_a_message_and_only_if_it_was_a_problem() -> None:
    conditions = Conditions([problem(since_us=1)])
    conditions.drop(("too_cold", "another"))
    assert conditions.ended == {}
    conditions.drop(KEY)
    assert conditions.problems == {}
    assert DROPPED in conditions.ended[KEY]


def test_each_sensor_has_its_own_problem_of_a_kind() -> None:
    conditions = Conditions([problem(since_us=1)])
    other = problem()._replace(subject="ECCTH02")
    conditions.judge(other, bad=True, now_us=5)
    conditions.judge(problem(), bad=False, now_us=6)
    assert list(conditions.problems) == [("too_cold", "ECCTH02")]
    assert list(conditions.ended) == [KEY]
