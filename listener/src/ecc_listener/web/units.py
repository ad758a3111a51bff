"""The viewer's choice of units, kept in a cookie."""

from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ecc_listener.web.preferences import UNITS

_YEARS_S = 10 * 365 * 24 * 3600


def choose(request: Request) -> Response:
    """Store the units and return to where the viewer came from."""
    units = request.path_params["units"]
    if units not in UNITS:
        raise HTTPException(404)
    came_from = urlsplit(request.headers.get("referer", ""))
    # Never to another site: only the path of the Referer header is used.
    path = "/" + came_from.path.lstrip("/\\")
    back = f"{path}?{came_from.query}" if came_from.query else path
    answer = RedirectResponse(back, 303, {"Cache-Control": "no-store"})
    answer.set_cookie("units", units, max_age=_YEARS_S, samesite="lax")
    return answer


ROUTES: list[BaseRoute] = [Route("/units/{units}", choose)]
