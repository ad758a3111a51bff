from pathlib import Path

import pytest

from ecc_listener.web.security import is_own_name
from support.viewers import READING, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.stored((made.now_us, READING))
    return made


def test_every_answer_forbids_what_comes_from_elsewhere(house: House) -> None:
    viewer = house.viewer()
    for address in ("/", "/api/rooms", "/static/page.css", "/nowhere"):
        headers = viewer.get(address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_a_page_has_no_script_or_style_within(house: House) -> None:
    text = house.viewer().get("/").text
    assert "<style" not in text
    assert " style=" not in text
    assert " on" + "click" not in text
    assert "<script>" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_can_only_be_read(house: House, method: str) -> None:
    answer = house.viewer().request(method, "/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "host", ["evil.example", "ecc.evil.example:8080", "127.0.0.1.evil.example", "", "a b"]
)
def test_a_name_that_somebody_else_may_own_gets_nothing(house: House, host: str) -> None:
    answer = house.viewer(Host=host).get("/api/rooms")
    assert answer.status_code == 421
    assert "secrets/web_credentials" in answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["localhost:8080", "192.168.1.7", "[::1]:8080", "server", "church.local", "pi.lan"]
)
def test_addresses_and_names_of_this_network_are_served(house: House, host: str) -> None:
    assert is_own_name(host)
    assert house.viewer(Host=host).get("/").status_code == 200


def test_with_a_password_the_page_may_have_any_name(house: House) -> None:
    viewer = house.viewer("secret", Host="sensors.church.example")
    assert viewer.get("/", auth=("church", "secret")).status_code == 200


def test_an_address_that_never_ends_is_refused(house: House) -> None:
    assert house.viewer().get("/api/rooms", params={"x": "y" * 5000}).status_code == 414
