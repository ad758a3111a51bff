from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ecc_listener.web.auth import MAX_GUESSES
from ecc_listener.web.security import HEADERS, OPEN
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


def addresses(house: House) -> Iterator[str]:
    """Yield the address of every route of the application, and of every static file."""
    for route in house.app("open sesame").routes:
        if isinstance(route, Mount):
            assert isinstance(route.app, StaticFiles), route
            (folder,) = route.app.all_directories
            files = [path for path in Path(folder).rglob("*") if path.is_file()]
            assert files
            yield from (f"{route.path}/{path.relative_to(folder)}" for path in files)
        else:
            assert isinstance(route, Route), route
            yield route.path.replace("{units}", "c")


ODD = [
    *("//", "//health", "/health/", "/health/..", "/health/../api/rooms", "/%68ealth/", "/HEALTH"),
    *("/health%2f..%2fapi/rooms", "/health;x", "/health%00", "/nowhere", "/api/rooms/", "/live?have=1"),
    *("/static/../api/rooms", "/static/%2e%2e/%2e%2e/app.py", "/api/rooms?" + "x" * 5000),
]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "X"]


def test_without_the_password_every_address_answers_401_to_every_method(house: House) -> None:
    viewer = house.viewer("open sesame")
    found = sorted(set(addresses(house)) - OPEN)
    assert {"/", "/live", "/metrics", "/api/rooms", "/static/page.css"} <= set(found)
    for address in [*found, *ODD]:
        for method in METHODS:
            answer = viewer.request(method, address, follow_redirects=False)
            assert (answer.status_code, address, method) == (401, address, method)
            assert HEADERS.items() <= {name.title(): value for name, value in answer.headers.items()}.items()
            assert "Office" not in answer.text


def test_what_is_open_without_the_password_says_only_that_the_page_runs(house: House) -> None:
    assert {"/health"} == OPEN
    assert house.viewer("open sesame").get("/health").text == "ok"


def test_a_wrong_user_and_a_wrong_password_get_the_same_answer(house: House) -> None:
    viewer = house.viewer("open sesame")
    answers = [viewer.get("/", auth=one) for one in (("church", "wrong"), ("nobody", "open sesame"))]
    assert [one.status_code for one in answers] == [401, 401]
    assert answers[0].content == answers[1].content
    assert answers[0].headers == answers[1].headers


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
