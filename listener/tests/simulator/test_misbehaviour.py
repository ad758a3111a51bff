"""Each misbehaviour does what its help line says."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from ecc_listener.readings.form import decode
from ecc_listener.readings.reading import NotAReading
from ecc_listener.simulator.device import Measurement, create_devices, measure, payload_at
from ecc_listener.simulator.misbehaviour import (
    CLASH,
    LOCKED_OUT,
    MISBEHAVIOURS,
    OutgoingMessage,
    Turn,
    messages_of,
)

DEVICE = create_devices(1)[0]
START = datetime(2026, 3, 15, 10, 20, tzinfo=UTC)
STEP = timedelta(minutes=10)


def turns(name: str | None, count: int) -> list[list[OutgoingMessage]]:
    return [messages_of(Turn(DEVICE, number, START + number * STEP, STEP), name) for number in range(count)]


def measurement(payload: bytes) -> Measurement:
    return Measurement(*decode(payload))  # type: ignore[arg-type]


def readings(sent: Iterable[list[OutgoingMessage]]) -> list[Measurement]:
    return [measurement(message.payload) for turn in sent for message in turn]


def well_behaved(count: int) -> list[Measurement]:
    return [measure(DEVICE, START + number * STEP) for number in range(count)]


@pytest.mark.parametrize("name", [None, CLASH, LOCKED_OUT])
def test_a_sensor_that_behaves_sends_one_reading_a_turn(name: str | None) -> None:
    assert turns(name, 5) == [
        [OutgoingMessage(payload_at(DEVICE, START + number * STEP))] for number in range(5)
    ]


def test_silent_falls_silent_after_three_readings() -> None:
    assert [len(turn) for turn in turns("silent", 6)] == [1, 1, 1, 0, 0, 0]


def test_frozen_never_changes() -> None:
    assert {turn[0].payload for turn in turns("frozen", 20)} == {payload_at(DEVICE, START)}


def test_garbage_is_never_a_reading() -> None:
    sent = [turn[0].payload for turn in turns("garbage", 9)]
    assert len(set(sent)) == 9
    for line in sent:
        with pytest.raises(NotAReading):
            decode(line)


def test_duplicate_sends_each_message_twice() -> None:
    assert [turn[0] == turn[1] and len(turn) == 2 for turn in turns("duplicate", 3)] == [True] * 3


def test_retained_asks_the_broker_to_keep_it() -> None:
    assert all(message.retain for turn in turns("retained", 3) for message in turn)
    assert not any(message.retain for turn in turns(None, 3) for message in turn)


def test_burst_holds_ten_readings_back_and_sends_them_in_order() -> None:
    sent = turns("burst", 20)
    assert [len(turn) for turn in sent] == ([0] * 9 + [10]) * 2
    assert readings(sent) == well_behaved(20)


def test_flat_battery_empties_and_changes_nothing_else() -> None:
    sent = readings(turns("flat-battery", 30))
    assert sent[0].battery_percent == 25
    assert sent[-1].battery_percent == 0
    assert sorted(sent, key=lambda one: -one.battery_v) == sent
    assert sent[5]._replace(battery_v=0, battery_percent=0) == well_behaved(6)[5]._replace(
        battery_v=0, battery_percent=0
    )


def test_pause_misses_ten_readings_and_comes_back() -> None:
    assert [len(turn) for turn in turns("pause", 20)] == [1] * 4 + [0] * 10 + [1] * 6


def test_cold_cools_down_to_just_above_freezing() -> None:
    sent = readings(turns("cold", 40))
    assert sent[0].temperature_f > 50
    assert sent[-1].temperature_f == 33.0
    assert all(one.dew_point_f <= one.temperature_f for one in sent)


def test_damp_soaks() -> None:
    sent = readings(turns("damp", 40))
    assert sent[0].humidity_percent < 80
    assert sent[-1].humidity_percent == 96.0
    assert sent[-1].temperature_f - sent[-1].dew_point_f < 2


def test_spike_tells_185_at_every_fifth_reading() -> None:
    sent = readings(turns("spike", 10))
    assert [number for number, one in enumerate(sent) if one.temperature_f == 185.0] == [4, 9]


def test_weak_loses_two_of_three_and_has_hardly_any_signal() -> None:
    sent = turns("weak", 9)
    assert [len(turn) for turn in sent] == [1, 0, 0] * 3
    assert all(one.rssi_dbm <= -86 for one in readings(sent))


def test_replaced_keeps_the_name_and_changes_the_board() -> None:
    sent = readings(turns("replaced", 5))
    assert {one.sensor_name for one in sent} == {"ECCTH01"}
    assert [one.mac == DEVICE.mac for one in sent] == [True, True, True, False, False]


def test_newer_says_the_same_in_another_form() -> None:
    sent = turns("newer", 3)
    further = (("field11", 4.2), ("field12", 1013.25))
    assert readings(sent) == [one._replace(values=further) for one in well_behaved(3)]
    assert all(turn[0].payload.startswith(b"field12=") for turn in sent)


def test_each_has_a_line_of_help() -> None:
    assert all(one.help for one in MISBEHAVIOURS.values())
