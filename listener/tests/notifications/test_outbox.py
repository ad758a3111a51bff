import sqlite3
from collections.abc import Iterator

import pytest

from ecc_listener.notifications import outbox
from ecc_listener.notifications.errors import SendFault
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.outbox import Outcome
from ecc_listener.storage.migrate import migrate

MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
NOW_US = 1_795_500_000_000_000
DOWN = SendFault("the server is down", "wait")
REFUSED = SendFault("the server refuses the mail", "ask", is_of_message=True)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    migrate(made)
    yield made
    made.close()


def add(connection: sqlite3.Connection, *subjects: str, now_us: int = NOW_US) -> None:
    for subject in subjects:
        outbox.add(connection, Message(subject, "plain", "<p>html</p>", b"png"), now_us)


def subjects(connection: sqlite3.Connection, now_us: int = NOW_US) -> list[tuple[str, str]]:
    return [(due.channel, due.message.subject) for due in outbox.due(connection, now_us)]


def record(
    connection: sqlite3.Connection,
    channel: str,
    number: int,
    fault: SendFault | None = None,
    now_us: int = NOW_US,
) -> bool:
    return outbox.record(connection, Outcome(channel, number, fault), now_us)


def test_each_way_gets_every_letter_in_order(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["a@x", "b@x"])
    add(connection, "first", "second")
    assert subjects(connection) == [("a@x", "first"), ("b@x", "first")]
    record(connection, "a@x", 1)
    assert subjects(connection) == [("a@x", "second"), ("b@x", "first")]
    record(connection, "a@x", 2)
    record(connection, "b@x", 1)
    record(connection, "b@x", 2)
    assert subjects(connection) == []
    assert [state.last_sent_us for state in outbox.states(connection)] == [NOW_US, NOW_US]


def test_a_letter_comes_out_as_it_went_in(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["a@x"])
    add(connection, "Büro")
    (due,) = outbox.due(connection, NOW_US)
    assert due.message == Message("Büro", "plain", "<p>html</p>", b"png")
    assert due.added_us == NOW_US
    assert due.message_id == outbox.due(connection, NOW_US)[0].message_id


def test_a_way_that_fails_waits_longer_and_longer_and_holds_up_no_other(
    connection: sqlite3.Connection,
) -> None:
    outbox.set_channels(connection, ["a@x", "b@x"])
    add(connection, "first")
    now_us, pauses = NOW_US, []
    for _ in range(9):
        record(connection, "a@x", 1, DOWN, now_us)
        pause = next(
            n for n in range(1, 100) if ("a@x", "first") in subjects(connection, now_us + n * MINUTE_US)
        )
        pauses.append(pause)
        now_us += pause * MINUTE_US
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert ("b@x", "first") in subjects(connection, now_us)
    state = outbox.states(connection)[0]
    assert state.failing_since_us == NOW_US
    assert state.fault == "the server is down. Next step: wait"
    record(connection, "a@x", 1, None, now_us)
    assert outbox.states(connection)[0] == ("a@x", 0, now_us, None, None)


def test_a_server_that_is_down_for_a_month_loses_nothing(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["a@x"])
    for day in range(40):
        now_us = NOW_US + day * DAY_US
        add(connection, f"day {day}", now_us=now_us)
        record(connection, "a@x", 1, DOWN, now_us)
        assert outbox.prune(connection, now_us) == 0
    told = []
    for number in range(1, 41):
        told += subjects(connection, NOW_US + 50 * DAY_US)
        record(connection, "a@x", number, None, NOW_US + 50 * DAY_US)
    assert told == [("a@x", f"day {day}") for day in range(40)]


def test_a_letter_that_is_refused_for_hours_is_given_up_and_the_next_one_goes(
    connection: sqlite3.Connection,
) -> None:
    outbox.set_channels(connection, ["a@x"])
    add(connection, "poison", "good")
    given_up = [record(connection, "a@x", 1, REFUSED) for _ in range(8)]
    assert given_up == [False] * 7 + [True]
    assert subjects(connection, NOW_US + 60 * MINUTE_US) == [("a@x", "good")]


def test_the_state_outlives_a_restart_which_is_a_new_try(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["a@x"])
    add(connection, "first")
    for _ in range(9):
        record(connection, "a@x", 1, DOWN)
    assert subjects(connection) == []
    assert outbox.set_channels(connection, ["a@x"]) == {}
    assert subjects(connection) == [("a@x", "first")]
    assert outbox.states(connection)[0].fault


def test_a_new_way_begins_with_the_next_letter(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, [])
    add(connection, "before anybody listened")
    outbox.set_channels(connection, ["a@x"])
    assert subjects(connection) == []
    add(connection, "now")
    outbox.set_channels(connection, ["a@x", "b@x"])
    assert subjects(connection) == [("a@x", "now")]


def test_a_corrected_address_gets_what_waited_for_the_wrong_one(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["wrong@x"])
    add(connection, "first", "second")
    assert outbox.set_channels(connection, ["right@x"]) == {"wrong@x": 2}
    assert subjects(connection) == [("right@x", "first")]


def test_a_clock_that_was_wrong_does_not_put_a_try_off(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["a@x"])
    add(connection, "first")
    record(connection, "a@x", 1, DOWN, NOW_US + 365 * DAY_US)
    assert subjects(connection) == [("a@x", "first")]


def test_what_is_sent_stays_for_weeks_and_what_waits_stays(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["a@x", "b@x"])
    add(connection, "first", "second")
    record(connection, "a@x", 2)
    record(connection, "b@x", 1)
    outbox.prune(connection, NOW_US + 34 * DAY_US)
    assert connection.execute("SELECT subject FROM ECCMail").fetchall() == [("first",), ("second",)]
    outbox.prune(connection, NOW_US + 36 * DAY_US)
    assert connection.execute("SELECT subject FROM ECCMail").fetchall() == [("second",)]


def test_a_number_never_comes_again(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["a@x"])
    add(connection, "first")
    record(connection, "a@x", 1)
    outbox.prune(connection, NOW_US + 36 * DAY_US)
    add(connection, "second")
    assert subjects(connection) == [("a@x", "second")]


def test_what_waits_is_bounded_and_what_is_dropped_is_counted(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 3)
    outbox.set_channels(connection, ["a@x"])
    add(connection, *"abcde")
    assert outbox.prune(connection, NOW_US) == 2
    assert subjects(connection) == [("a@x", "c")]
    assert outbox.prune(connection, NOW_US) == 0


CHOICES = {"rooms@x": "rooms", "it@x": "system"}


def by_choice(connection: sqlite3.Connection, **subjects: str) -> None:
    """Add a message for each choice; `all` is the choice of those who get everything."""
    written = {name.replace("all", ""): Message(text, "p", "h") for name, text in subjects.items()}
    outbox.add_by_choice(connection, written.get, NOW_US)


def drained(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Send everything; return what went where."""
    sent = []
    while due := outbox.due(connection, NOW_US):
        for one in due:
            sent.append((one.channel, one.message.subject))
            record(connection, one.channel, one.number)
    return sent


def test_each_channel_gets_what_it_chose_exactly_once(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["all@x", "rooms@x", "it@x"], CHOICES)
    add(connection, "for all")
    by_choice(connection, all="cold and disk", rooms="cold", system="disk")
    by_choice(connection, all="silent")
    by_choice(connection, all="cold again", rooms="cold again")
    assert [state.waiting for state in outbox.states(connection)] == [4, 3, 2]
    assert sorted(drained(connection)) == [
        ("all@x", "cold again"),
        ("all@x", "cold and disk"),
        ("all@x", "for all"),
        ("all@x", "silent"),
        ("it@x", "disk"),
        ("it@x", "for all"),
        ("rooms@x", "cold"),
        ("rooms@x", "cold again"),
        ("rooms@x", "for all"),
    ]
    assert drained(connection) == []
    assert [state.waiting for state in outbox.states(connection)] == [0, 0, 0]


def test_what_is_the_same_for_all_is_one_message(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["all@x", "rooms@x"], CHOICES)
    by_choice(connection, all="cold", rooms="cold")
    assert connection.execute("SELECT count(*) FROM ECCMail").fetchone() == (1,)
    outbox.add_by_choice(connection, lambda _: None, NOW_US)
    assert connection.execute("SELECT count(*) FROM ECCMail").fetchone() == (1,)
    assert drained(connection) == [("all@x", "cold"), ("rooms@x", "cold")]


def test_a_new_choice_brings_nothing_of_the_past(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["all@x", "rooms@x"], CHOICES)
    by_choice(connection, all="disk")
    by_choice(connection, all="cold and disk", rooms="cold")
    record(connection, "rooms@x", 3)
    # The other one is still down when this one chooses everything, and when it goes back.
    outbox.set_channels(connection, ["all@x", "rooms@x"])
    assert subjects(connection) == [("all@x", "disk")]
    outbox.set_channels(connection, ["all@x", "rooms@x"], CHOICES)
    assert drained(connection) == [("all@x", "disk"), ("all@x", "cold and disk")]


def test_what_was_added_for_others_is_behind_a_channel_at_once(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["rooms@x", "it@x"], CHOICES)
    by_choice(connection, rooms="cold")
    outbox.set_channels(connection, ["it@x"], {"it@x": "rooms"})
    assert drained(connection) == []


def test_what_was_for_others_stays_in_the_past_whatever_a_channel_chooses_later(
    connection: sqlite3.Connection,
) -> None:
    outbox.set_channels(connection, ["rooms@x", "it@x"], CHOICES)
    by_choice(connection, rooms="cold")
    by_choice(connection, system="disk")
    record(connection, "rooms@x", 1)
    # What is for another one was added once before and once after what was sent.
    outbox.set_channels(connection, ["rooms@x", "it@x"], {"rooms@x": "system", "it@x": "rooms"})
    assert drained(connection) == []


def test_what_waits_for_a_corrected_address_is_what_it_chose(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["all@x", "wrong@x"], {"wrong@x": "rooms"})
    by_choice(connection, all="cold and disk", rooms="cold")
    drained_by_all = [one for one in outbox.due(connection, NOW_US) if one.channel == "all@x"]
    record(connection, "all@x", drained_by_all[0].number)
    assert outbox.set_channels(connection, ["all@x", "right@x"], {"right@x": "rooms"}) == {"wrong@x": 1}
    assert drained(connection) == [("right@x", "cold")]


def test_a_choice_that_gets_nothing_keeps_no_message_for_ever(connection: sqlite3.Connection) -> None:
    outbox.set_channels(connection, ["all@x", "it@x"], CHOICES)
    by_choice(connection, all="cold")
    drained(connection)
    assert outbox.prune(connection, NOW_US + 36 * DAY_US) == 0
    for name in "ECCMail", "ECCMailChoice":
        assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)
