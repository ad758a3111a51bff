"""What Prometheus gets: checked by promtool, scraped by a real Prometheus, shown by the dashboard."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from ecc_listener.notifications import table
from ecc_listener.notifications.notice import Notice
from ecc_listener.storage.connection import connect
from support.brokers import OFFICE, ROOT, Mosquitto, until
from support.browsing import Site
from support.listeners import Listener
from support.prometheus import Prometheus, program
from support.viewers import MINUTE_US, NOON_US, READING, House

DASHBOARD = ROOT / "listener/docs/grafana-dashboard.json"
_LABELS = ("sensor", "location", "field", "unit", "kind")
HOSTILE = 'a"b\\c\nd{e="f"} 🔔'


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    bare = READING._replace(
        sensor_name=HOSTILE, location=None, humidity_percent=None, dew_point_f=None, battery_v=None,
        battery_percent=None, rssi_dbm=None, values=(("co2_ppm", 812.0), ("nobody", 1.0)),
    )  # fmt: skip
    made.stored((NOON_US - MINUTE_US, READING), (NOON_US, bare))
    made.well(messages=3, rows=2, rejected=1, connections=1)
    return made


def scraped(viewer: TestClient, **headers: str) -> dict[tuple[str, ...], float]:
    """Return the value of each series, by its name and the values of its labels."""
    answer = viewer.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *(sample.labels[label] for label in _LABELS if label in sample.labels)): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_each_sensor_has_what_it_measures_and_nothing_else(house: House) -> None:
    found = scraped(house.viewer())
    office = ("ECCTH01", "Office")
    assert found["ecc_sensor_temperature_celsius", *office] == 23.03
    assert found["ecc_sensor_humidity_ratio", *office] == 0.3917
    assert found["ecc_sensor_battery_ratio", *office] == 0.9353
    assert found["ecc_sensor_battery_volts", *office] == 3.41
    assert found["ecc_sensor_signal_dbm", *office] == -67
    assert found["ecc_sensor_last_reading_timestamp_seconds", *office] == NOON_US / 1e6 - 60
    assert sorted(name for name, *labels in found if labels[:1] == [HOSTILE]) == [
        "ecc_sensor_last_reading_timestamp_seconds",
        "ecc_sensor_temperature_celsius",
        "ecc_sensor_value",
    ]
    assert found["ecc_sensor_value", HOSTILE, "", "co2_ppm", "ppm"] == 812


def test_listener_notices_and_files_are_there(house: House) -> None:
    connection = connect(house.database)
    silent = Notice(1, "silent", "ECCTH01", "Office", NOON_US, None, None, 1, {})
    table.write_notices(connection, [(silent, False)])
    connection.close()
    viewer = house.viewer()
    found = scraped(viewer)
    assert found["ecc_open_notices", "silent"] == 1
    assert (found["ecc_messages_total",], found["ecc_readings_total",]) == (3, 2)
    assert (found["ecc_rejected_messages_total",], found["ecc_connections_total",]) == (1, 1)
    assert found["ecc_last_message_timestamp_seconds",] == NOON_US / 1e6
    assert found["ecc_database_bytes",] > 10_000
    assert found["ecc_disk_bytes",] > found["ecc_disk_free_bytes",] > 0
    up = [f"ecc_{name}" for name in ("listener_up", "broker_connected", "store_working", "mail_working")]
    house.well(broker_fault=None)
    house.now_us += MINUTE_US // 30
    assert [scraped(viewer)[name,] for name in up] == [1, 1, 1, 1]
    house.well(broker_fault="x", store_fault="y", mail_fault="z")
    house.now_us += MINUTE_US // 30
    assert [scraped(viewer)[name,] for name in up] == [1, 0, 0, 0]
    # A listener that has ended, and one that never was.
    house.now_us += 2 * MINUTE_US
    assert scraped(viewer)["ecc_listener_up",] == 0
    house.health_path.unlink()
    house.now_us += MINUTE_US
    assert scraped(viewer)["ecc_listener_up",] == 0


def test_a_password_protects_it_as_everything_else(house: House) -> None:
    viewer = house.viewer("secret")
    assert viewer.get("/metrics").status_code == 401
    assert viewer.get("/metrics", auth=("church", "secret")).status_code == 200


def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    found = scraped(House(tmp_path).viewer())
    assert found["ecc_database_readable",] == found["ecc_listener_up",] == 0


def test_promtool_finds_nothing_to_complain_about(house: House) -> None:
    text = house.viewer().get("/metrics").text
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    # It does find what is wrong.
    broken = text.replace("# HELP ecc_disk_bytes Size of that disk.\n", "")
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=broken, capture_output=True, text=True, check=False
    )
    assert "ecc_disk_bytes no help text" in done.stderr


def expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_the_dashboard_names_only_metrics_that_exist(house: House) -> None:
    # Behind `or vector(0)`, and in the variable for the rooms, a misspelt one would give an empty panel.
    with house.viewer() as viewer:
        exist = {
            line.split()[2] for line in viewer.get("/metrics").text.splitlines() if line.startswith("# TYPE")
        }
    named = set(re.findall(r"\becc_[a-z_]+", DASHBOARD.read_text()))
    assert named
    assert named <= exist


def test_a_prometheus_scrapes_it_and_every_panel_of_the_dashboard_has_data(
    tmp_path: Path, broker: Mosquitto
) -> None:
    listener = Listener(tmp_path / "listener", broker.port)
    site = Site(listener)
    try:
        listener.start()
        broker.publish(OFFICE + b"&co2_ppm=640", b"no reading")
        listener.wait_for(1)
        site.start()
        target = re.sub(r"^http://", "", site.address)
        (tmp_path / "prometheus").mkdir()
        with Prometheus(tmp_path / "prometheus", target) as prometheus:
            until(lambda: prometheus.query("count_over_time(ecc_listener_up[1m]) > 3"))
            for expression in expressions():
                found = prometheus.query(expression.replace("$location", ".*"))
                assert found, expression
            [office] = prometheus.query("ecc_sensor_value")
            assert office["metric"]["location"] == "Office"
            assert office["value"][1] == "640"
    finally:
        site.stop()
        listener.end()
