"""An answer: a page for people, JSON for programs at the same address, and what went wrong for both.

A program asks with `Accept: application/json`, or below `/api/`. Errors are application/problem+json
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

VIEWS = (("/", "Rooms"), ("/history", "History"), ("/events", "Events"), ("/stack", "Stack"))
"""What the page's navigation offers."""

_templates = Environment(
    loader=PackageLoader("ecc_listener.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_templates.filters |= {"ago": ago, "iso": iso, "size": size, "us": utc_iso_us}
_templates.globals |= {"version": __version__, "views": VIEWS, "all_units": UNITS}


def preferences_of(request: Request) -> Preferences:
    """Give the viewer's units and time zone."""
    return preferences(request.cookies, request.headers.get("accept-language", ""))


def wants_json(request: Request) -> bool:
    """Say whether a program asks."""
    if request.url.path.startswith("/api/"):
        return True
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def render(template: str, preferences: Preferences, now_us: int, **values: Any) -> Markup:  # noqa: ANN401 - a template takes anything
    """Fill a template; everything in it is escaped, so it may stand in another one."""
    text = _templates.get_template(template).render(preferences=preferences, now_us=now_us, **values)
    return Markup(text)  # noqa: S704 - escaped by the template


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401 - likewise
    """Give a page as this viewer likes it."""
    now_us = request.app.state.now_us()
    text = render(template, preferences_of(request), now_us, path=request.url.path, **values)
    headers = {"Vary": "Accept, Accept-Language, Cookie", "Cache-Control": "no-store"}
    return HTMLResponse(text, status, headers)


def data(values: object) -> Response:
    """Give JSON to a program."""
    return JSONResponse(values, headers={"Vary": "Accept", "Cache-Control": "no-store"})


def count_asked(request: Request, default: int, most: int) -> int:
    """Give how many of something the request asks for, as `?count=`.

    Raises:
        HTTPException: 422 when it is no number from 1 to `most`.

    """
    text = request.query_params.get("count", str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise HTTPException(422, f"count is a number from 1 to {most}.")
    return int(text)


def problem(request: Request, error: Exception) -> Response:
    """Say what is wrong and what to do, to whoever asked. Its `detail` is shown as it is."""
    status, headers = 500, dict(getattr(error, "headers", None) or {})
    detail = str(getattr(error, "detail", ""))
    if isinstance(error, HTTPException):
        status = error.status_code
    elif isinstance(error, StoreError):
        # Not this program's fault, and most likely over soon.
        status, detail, headers = 503, f"{error}.", {"Retry-After": "5"}
    title = HTTPStatus(status).phrase
    detail = detail or title
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        detail = "A fault in this program. What happened stands in its log: make logs"
    if wants_json(request):
        values = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        answer: Response = JSONResponse(values, status, headers, "application/problem+json")
    else:
        if detail == title:
            detail = _PLAIN.get(status, title)
        answer = page(request, "problem.html", status, title=title, detail=detail)
        answer.headers.update(headers)
    return answer


_PLAIN = {
    404: "There is no page at this address. The views are above.",
    405: "This page can only be read.",
}
