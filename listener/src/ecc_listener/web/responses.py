"""Responses: a page for people, JSON for programs at the same address, and errors for both.

A program sends `Accept: application/json`, or asks below `/api/`. Errors are application/problem+json
(RFC 9457) for programs, and a page with the same words for people.
"""

from http import HTTPStatus
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from ecc_listener import __version__
from ecc_listener.storage.connection import StoreError
from ecc_listener.web.preferences import UNITS, Preferences, ago, iso, preferences, size, utc_iso_us

VIEWS = (
    ("/", "Rooms"),
    ("/history", "History"),
    ("/month", "Month"),
    ("/events", "Events"),
    ("/system", "System"),
)
"""The views in the page's navigation."""

_templates = Environment(
    loader=PackageLoader("ecc_listener.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_templates.filters |= {"ago": ago, "iso": iso, "size": size, "us": utc_iso_us}
_templates.globals |= {"version": __version__, "views": VIEWS, "all_units": UNITS}


def preferences_of(request: Request) -> Preferences:
    """Return the viewer's units and time zone."""
    return preferences(request.cookies, request.headers.get("accept-language", ""))


def wants_json(request: Request) -> bool:
    """Return whether a program asks."""
    if request.url.path.startswith("/api/"):
        return True
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def render(template: str, preferences: Preferences, now_us: int, **values: Any) -> Markup:  # noqa: ANN401 - a template takes anything
    """Return a filled template; all values in it are escaped, so it may be used inside another one."""
    text = _templates.get_template(template).render(preferences=preferences, now_us=now_us, **values)
    return Markup(text)  # noqa: S704 - escaped by the template


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401 - likewise
    """Return a page in this viewer's units and time zone."""
    now_us = request.app.state.now_us()
    values |= {"path": request.url.path, "clock": request.app.state.page_clock}
    text = render(template, preferences_of(request), now_us, **values)
    headers = {"Vary": "Accept, Accept-Language, Cookie", "Cache-Control": "no-store"}
    return HTMLResponse(text, status, headers)


def data(values: object) -> Response:
    """Return JSON for a program."""
    return JSONResponse(values, headers={"Vary": "Accept", "Cache-Control": "no-store"})


def requested_count(request: Request, default: int, most: int) -> int:
    """Return the number in `?count=`, or the default.

    Raises:
        HTTPException: 422 if it is not a number from 1 to `most`.

    """
    text = request.query_params.get("count", str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise HTTPException(422, f"count must be a number from 1 to {most}.")
    return int(text)


def problem(request: Request, error: Exception) -> Response:
    """Return what is wrong and what to do. The `detail` of an HTTPException is shown as it is."""
    status, headers = 500, dict(getattr(error, "headers", None) or {})
    detail = str(getattr(error, "detail", ""))
    if isinstance(error, HTTPException):
        status = error.status_code
    elif isinstance(error, StoreError):
        # Not an error of this program, and most likely over soon.
        status, detail, headers = 503, f"{error}.", {"Retry-After": "5"}
    title = HTTPStatus(status).phrase
    detail = detail or title
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        detail = "An error in this program. Its log says what happened: make logs"
    if wants_json(request):
        values = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        response: Response = JSONResponse(values, status, headers, "application/problem+json")
    else:
        if detail == title:
            detail = _PLAIN.get(status, title)
        response = page(request, "problem.html", status, title=title, detail=detail)
        response.headers.update(headers)
    return response


_PLAIN = {
    404: "There is no page at this address. Choose a view above.",
    405: "This page is read-only.",
}
