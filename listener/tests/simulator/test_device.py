"""The sensors in the model rooms: what they send is what the firmware sends."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ecc_listener.readings.form import decode
from ecc_listener.simulator.climate import dew_point_c
from ecc_listener.simulator.device import (
    INTERVAL,
    Measurement,
    create_devices,
    encode,
    measure,
    measure_all,
    payload_at,
)

AT = datetime(2026, 3, 15, 10, 20, tzinfo=UTC)
SAMPLE = (
    b"field1=47.10&field2=73.45&field3=39.17&field4=3.41&field5=93.53&field6=-67&field7=ECCTH01&field8=Office"
    b"&field9=98:F4:AB:DA:6E:E2&field10=v03.10"
)


def test_a_reading_is_written_as_the_firmware_writes_it() -> None:
    measurement = Measurement(*decode(SAMPLE))  # type: ignore[arg-type]
    assert encode(measurement) == SAMPLE


def test_what_is_sent_decodes_to_what_was_measured() -> None:
    for device in create_devices(12):
        assert decode(payload_at(device, AT)) == measure(device, AT).as_reading()


def test_sensors_are_named_one_after_the_other_and_are_all_different() -> None:
    sensors = create_devices(8)
    assert [sensor.name for sensor in sensors[:2]] == ["ECCTH01", "ECCTH02"]
    assert [sensor.location for sensor in sensors] == [
        *("Office", "Nave", "Sacristy", "Organ loft", "Hall", None, "Office 2", "Nave 2")
    ]
    macs = {sensor.mac for sensor in sensors if sensor.mac}
    assert len(macs) == 7
    assert all(len(mac) == 17 and mac.startswith("98:F4:AB:") for mac in macs)


def test_the_fifth_measures_co2_and_the_sixth_has_the_older_firmware_of_seven_fields() -> None:
    assert [payload_at(device, AT).count(b"&") + 1 for device in create_devices(7)] == [
        10,
        10,
        10,
        10,
        11,
        7,
        10,
    ]


def test_the_same_sensor_says_the_same_at_the_same_time() -> None:
    assert payload_at(create_devices(1, seed=5)[0], AT) == payload_at(create_devices(1, seed=5)[0], AT)
    assert payload_at(create_devices(1, seed=5)[0], AT) != payload_at(create_devices(1, seed=6)[0], AT)


def test_the_dew_point_fits_temperature_and_humidity() -> None:
    reading = measure(create_devices(1)[0], AT)
    dew_f = 32 + 1.8 * dew_point_c((reading.temperature_f - 32) / 1.8, reading.humidity_percent)
    assert reading.dew_point_f == pytest.approx(dew_f, abs=0.02)


def test_a_battery_discharges_for_a_year_and_is_replaced() -> None:
    device = create_devices(1)[0]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    weeks = [measure(device, start + timedelta(weeks=week)) for week in range(110)]
    rises = [week for week, (a, b) in enumerate(pairwise(weeks)) if b.battery_v > a.battery_v + 0.5]
    assert len(rises) in {1, 2}
    assert min(one.battery_percent for one in weeks) < 25
    assert 95 < max(one.battery_percent for one in weeks) <= 100


def test_the_signal_is_noisy_around_its_mean() -> None:
    device = create_devices(1)[0]
    seen = {measure(device, AT + timedelta(minutes=10 * step)).rssi_dbm for step in range(300)}
    assert 4 < len(seen) < 15
    assert all(-95 < rssi_dbm < -40 for rssi_dbm in seen)


def test_history_is_complete_in_order_and_the_same_as_single_readings() -> None:
    sensors = create_devices(3)
    rows = list(measure_all(sensors, AT, AT + timedelta(days=1)))
    assert len(rows) == 3 * 144
    times = [at_us for at_us, _ in rows]
    assert times == sorted(times)
    assert len({(at_us, reading.sensor_name) for at_us, reading in rows}) == len(rows)
    step = 100
    expected: list[Measurement] = [measure(sensor, AT + step * INTERVAL) for sensor in sensors]
    assert [reading for _, reading in rows[3 * step : 3 * step + 3]] == expected


def test_history_ends_before_its_end() -> None:
    assert len(list(measure_all(create_devices(1), AT, AT + 3 * INTERVAL))) == 3
    assert not list(measure_all(create_devices(1), AT, AT))
