"""The live page, over a real server: events flow while the request lasts."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from ecc_listener.web import live
from ecc_listener.web.snapshot import Snapshot
from support.brokers import until
from support.viewers import MINUTE_US, READING, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    hall = READING._replace(sensor_name="ECCTH05", location="Hall")
    made.stored((made.now_us - MINUTE_US, READING), (made.now_us - MINUTE_US, hall))
    made.well()
    return made


@pytest.fixture
def address(house: House) -> Iterator[str]:
    """Serve the page on a port of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(house.app(), lifespan="off", log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listening.close()


def events(answer: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each event's id and data; return when the server has seen what this viewer has."""
    lines = answer.iter_lines()
    assert next(lines).startswith("retry:")
    return _events(lines)


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    version = ""
    for line in lines:
        if line.startswith("id: "):
            version = line[4:]
        elif line.startswith("data: "):
            yield version, json.loads(line[6:])


def arrives(house: House, **changes: Any) -> None:  # noqa: ANN401 - fields of a reading
    house.now_us += MINUTE_US
    house.stored((house.now_us, READING._replace(**changes)))
    house.well()


def shown_version(address: str) -> str:
    page = httpx.get(address).text
    return page.split('data-version="')[1].split('"')[0]


def test_a_new_reading_is_sent_and_only_what_changed(house: House, address: str) -> None:
    with httpx.stream("GET", f"{address}/live?have={shown_version(address)}", timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        seen = events(answer)
        arrives(house, temperature_f=81.9)
        _, told = next(seen)
    assert len(told["order"]) == 2
    (card,) = [name for name in told["parts"] if name.startswith("room-")]
    assert "81.9" in told["parts"][card]
    assert "status" not in told["parts"]


def test_who_comes_back_gets_what_was_missed_and_nothing_else_twice(house: House, address: str) -> None:
    with httpx.stream("GET", f"{address}/live", timeout=10) as answer:
        version, told = next(events(answer))
        assert len([name for name in told["parts"] if name.startswith("room-")]) == 2
    arrives(house, temperature_f=66.6)
    with httpx.stream("GET", f"{address}/live", headers={"Last-Event-ID": version}, timeout=10) as answer:
        _, told = next(events(answer))
    assert any("66.6" in html for html in told["parts"].values())


def test_the_listener_s_end_is_told_to_who_looks(house: House, address: str) -> None:
    with httpx.stream("GET", f"{address}/live?have={shown_version(address)}", timeout=10) as answer:
        seen = events(answer)
        house.health_path.unlink()
        house.now_us += MINUTE_US
        _, told = next(seen)
    assert "The listener is not running" in told["parts"]["status"]


def test_many_viewers_cost_one_look_a_second(
    house: House, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    look = house.observer.snapshot

    def count() -> Snapshot:
        looks.append(None)
        return look()

    monkeypatch.setattr(house.observer, "snapshot", count)
    got: list[object] = []

    def watch() -> None:
        with httpx.stream("GET", f"{address}/live", timeout=15) as answer:
            seen = events(answer)
            got.append(next(seen))
            got.append(next(seen))

    viewers = [threading.Thread(target=watch) for _ in range(30)]
    for viewer in viewers:
        viewer.start()
    until(lambda: len(got) == 30)
    before = len(looks)
    arrives(house, temperature_f=55.5)
    for viewer in viewers:
        viewer.join(10)
    assert len(got) == 60
    assert len(looks) - before < 10


def test_one_viewer_too_many_is_told_to_come_later(
    house: House, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert house.now_us
    monkeypatch.setattr(live, "MAX_VIEWERS", 0)
    answer = httpx.get(f"{address}/live", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert answer.headers["content-type"] == "application/problem+json"
