"""The view Rooms: what every sensor says now."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ecc_listener.sqlite import utc_text
from ecc_listener.web.answers import data, page, wants_json
from ecc_listener.web.sight import Sight


def rooms(request: Request) -> Response:
    """Show the rooms."""
    sight: Sight = request.app.state.lookout.look()
    if wants_json(request):
        return data(_described(sight))
    return page(request, "rooms.html", sight=sight)


def _described(sight: Sight) -> dict[str, object]:
    return {
        "at_utc": utc_text(sight.at_us),
        "rooms": [
            {
                "sensor": room.name,
                "location": room.location,
                "last_utc": utc_text(room.last_us),
                "temperature_f": room.temperature_f,
                "humidity_percent": room.humidity_percent,
                "dew_point_f": room.dew_point_f,
                "battery_v": room.battery_v,
                "battery_percent": room.battery_percent,
                "rssi_dbm": room.rssi_dbm,
                "trend_f_per_h": room.trend_f_per_h and round(room.trend_f_per_h, 3),
            }
            for room in sight.rooms
        ],
    }


ROUTES: list[BaseRoute] = [Route("/", rooms), Route("/api/rooms", rooms)]
