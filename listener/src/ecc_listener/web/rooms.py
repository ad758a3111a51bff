"""The view Rooms: every sensor's newest reading, and what is wrong; and its parts, for the live page."""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2s
from typing import NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ecc_listener.storage.connection import utc_text
from ecc_listener.web.cards import card, key
from ecc_listener.web.latest import SensorNow
from ecc_listener.web.overall_status import PageProblem, headline, problems_of
from ecc_listener.web.preferences import Preferences, ago, iso
from ecc_listener.web.responses import data, page, preferences_of, render, wants_json
from ecc_listener.web.snapshot import Snapshot

_MAX_CARDS, _MAX_PROBLEMS = 200, 10
_AGO = "<!--ago-->"
"""Where a card says how old its reading is. It changes all the time, so it isn't compared."""


class View(NamedTuple):
    """What the page shows; `cards` has the HTML of each room by the id of its element, in order."""

    status: Markup
    cards: dict[str, Markup]
    last_us: int | None

    @property
    def parts(self) -> dict[str, str]:
        """Everything that can change, by the id of its element."""
        return {"status": self.status, "newest": iso(self.last_us) if self.last_us else "", **self.cards}

    @property
    def version(self) -> str:
        """A short text that identifies what is shown."""
        return blake2s("\0".join(self.parts.values()).encode(errors="replace"), digest_size=9).hexdigest()


def view(snapshot: Snapshot, preferences: Preferences) -> View:
    """Return what a viewer sees."""
    last_us = max((room.last_us for room in snapshot.rooms), default=None)
    problems = problems_of(snapshot, preferences)
    by_sensor: dict[str, tuple[str, ...]] = {}
    for problem in problems:
        by_sensor[problem.sensor] = (*by_sensor.get(problem.sensor, ()), problem.headline)
    cards = {
        key(room.name): _card(room, by_sensor.get(room.name, ()), preferences)
        for room in in_order(snapshot.rooms, by_sensor)[:_MAX_CARDS]
    }
    said = render(
        "status.html",
        preferences,
        snapshot.at_us,
        headline=headline(problems, sum(room.muted_until_us is not None for room in snapshot.rooms)),
        problems=problems[:_MAX_PROBLEMS],
        more=len(problems) - _MAX_PROBLEMS,
    )
    return View(said, cards, last_us)


def in_order(rooms: Iterable[SensorNow], with_problems: Iterable[str]) -> list[SensorNow]:
    """Sort rooms: problem first, the gravest before, then by place and name."""
    rank = {name: place for place, name in enumerate(with_problems)}
    return sorted(rooms, key=lambda room: (rank.get(room.name, len(rank)), room.title.casefold(), room.name))


@lru_cache(1_000)
def _card(room: SensorNow, problems: tuple[str, ...], preferences: Preferences) -> Markup:
    return render("room.html", preferences, 0, room=card(room, problems, preferences))


def rooms(request: Request) -> Response:
    """Return the view."""
    snapshot: Snapshot = request.app.state.observer.snapshot()
    if wants_json(request):
        return data(_described(snapshot))
    seen = view(snapshot, preferences_of(request))
    last_us = {key(room.name): room.last_us for room in snapshot.rooms}
    return page(
        request,
        "rooms.html",
        overall=seen.status,
        cards=[html.replace(_AGO, ago(last_us[one], snapshot.at_us)) for one, html in seen.cards.items()],
        sensors=len(snapshot.rooms),
        last_us=seen.last_us,
        state=seen.version,
        fault=snapshot.fault,
    )


def _described(snapshot: Snapshot) -> dict[str, object]:
    problems = problems_of(snapshot, Preferences("f", "UTC"))
    return {
        "at_utc": utc_text(snapshot.at_us),
        "is_well": not problems,
        "troubles": [_problem(one) for one in problems],
        "rooms": [_room(one) for one in snapshot.rooms],
    }


def _problem(problem: PageProblem) -> dict[str, object]:
    since_utc = utc_text(problem.since_us) if problem.since_us is not None else None
    return {
        "kind": problem.kind,
        "sensor": problem.sensor or None,
        "headline": problem.headline,
        "since_utc": since_utc,
        "cause": problem.cause,
        "advice": problem.advice,
    }


def _room(room: SensorNow) -> dict[str, object]:
    return {
        "sensor": room.name,
        "location": room.location,
        "last_utc": utc_text(room.last_us),
        "temperature_f": room.temperature_f,
        "humidity_percent": room.humidity_percent,
        "dew_point_f": room.dew_point_f,
        "battery_v": room.battery_v,
        "battery_percent": room.battery_percent,
        "rssi_dbm": room.rssi_dbm,
        "range_24h_f": room.range_f,
        "values": {one.label: one.value for one in room.values},
        "trend_f_per_h": None if room.trend_f_per_h is None else round(room.trend_f_per_h, 3),
    }


ROUTES: list[BaseRoute] = [Route("/", rooms), Route("/api/rooms", rooms)]
