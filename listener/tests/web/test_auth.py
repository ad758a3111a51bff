from pathlib import Path

import pytest

from ecc_listener.web.auth import MAX_GUESSES
from support.viewers import MINUTE_US, READING, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.stored((made.now_us, READING))
    return made


def test_without_the_password_nothing_is_shown(house: House) -> None:
    viewer = house.viewer("open sesame")
    for address in ("/", "/api/rooms", "/static/page.css", "/nowhere"):
        answer = viewer.get(address)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert "Office" not in answer.text


def test_with_the_password_people_and_programs_enter(house: House) -> None:
    viewer = house.viewer("sésame, öffne dich")
    assert viewer.get("/", auth=("church", "sésame, öffne dich".encode())).status_code == 200
    assert viewer.get("/api/rooms", auth=("church", "sésame, öffne dich".encode())).status_code == 200


@pytest.mark.parametrize("sent", ["Basic", "Basic !!!", "Bearer abc", "Basic Y2h1cmNoOg==", "basic é"])
def test_what_is_no_password_is_none(house: House, sent: str) -> None:
    answer = house.viewer("secret").get("/", headers={"Authorization": sent.encode()})
    assert answer.status_code == 401


def test_guesses_are_slowed_down_and_tell_nothing_meanwhile(house: House) -> None:
    viewer = house.viewer("secret")
    for number in range(MAX_GUESSES):
        assert viewer.get("/", auth=("church", f"guess {number}")).status_code == 401
    for word in ("another guess", "secret"):
        answer = viewer.get("/", auth=("church", word))
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 60
    house.now_us += MINUTE_US
    assert viewer.get("/", auth=("church", "secret")).status_code == 200


def test_who_has_not_tried_yet_is_not_counted(house: House) -> None:
    viewer = house.viewer("secret")
    for _ in range(3 * MAX_GUESSES):
        assert viewer.get("/").status_code == 401
    assert viewer.get("/", auth=("church", "secret")).status_code == 200
