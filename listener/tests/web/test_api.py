from pathlib import Path

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from starlette.routing import Route

from ecc_listener.storage.quarantine import Rejected
from support.viewers import MINUTE_US, READING, House, program, text_of


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.stored(
        (made.now_us - 60 * MINUTE_US, READING),
        (made.now_us, READING),
        (made.now_us, READING._replace(sensor_name="bare", location=None)),
        rejected=(Rejected(made.now_us, "t", b"x", "no"),),
    )
    made.well()
    return made


def test_the_document_is_valid_openapi(house: House) -> None:
    validate(program(house.viewer(), "/openapi.json"))


def test_the_document_has_every_address_of_the_api_and_no_other(house: House) -> None:
    routes = {route.path for route in house.app().routes if isinstance(route, Route)}
    documented = set(program(house.viewer(), "/openapi.json")["paths"])
    assert {path for path in routes if path.startswith("/api/")} - {"/api/stack"} == documented


@pytest.mark.parametrize("is_well", [True, False])
@pytest.mark.parametrize(
    ("address", "view"),
    [
        ("/api/rooms", "/"),
        ("/api/events", "/events"),
        ("/api/system", "/system"),
        ("/api/history?sensor=ECCTH01&start=2026-01-01&end=2026-01-02", "/history"),
        ("/api/month?month=2026-01", "/month"),
        ("/api/month?month=2020-01", "/month"),
        ("/api/history?sensor=bare&start=2020-01-01&end=2026-01-02", "/history"),
    ],
)
def test_answers_are_as_documented_and_the_same_at_the_view_s_address(
    house: House, address: str, view: str, *, is_well: bool
) -> None:
    if not is_well:
        house.health_path.unlink()
    viewer = house.viewer()
    document = program(viewer, "/openapi.json")
    path, _, query = address.partition("?")
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    answer = program(viewer, address)
    OAS31Validator(schema).validate(answer)
    again = program(viewer, f"{view}?{query}")
    # The disk has other users.
    assert {**again, "disk_free_bytes": 0} == {**answer, "disk_free_bytes": 0}


def test_errors_are_problems_with_the_fields_that_the_document_says(house: House) -> None:
    viewer = house.viewer()
    schema = program(viewer, "/openapi.json")["components"]["schemas"]["Problem"]
    for address in ("/api/nowhere", "/api/events?count=x", "/api/rooms?" + "x" * 5000):
        answer = viewer.get(address)
        assert answer.headers["content-type"] == "application/problem+json"
        OAS31Validator(schema).validate(answer.json())
        assert answer.json()["status"] == answer.status_code


def test_people_read_it_as_a_page(house: House) -> None:
    shown = text_of(house.viewer().get("/api"))
    assert "GET /api/rooms" in shown
    assert "temperature_f number" in shown
    assert "count integer" in shown
