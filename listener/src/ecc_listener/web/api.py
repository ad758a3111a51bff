"""The description of the API: OpenAPI for programs, and the same as a page for people."""

import json
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ecc_listener.web.responses import data, page

DOCUMENT: dict[str, Any] = json.loads((files(__package__) / "openapi.json").read_text("utf-8"))


def document(_request: Request) -> Response:
    """Return the OpenAPI document."""
    return data(DOCUMENT)


def description(request: Request) -> Response:
    """Return the page."""
    return page(request, "api.html", document=DOCUMENT)


ROUTES: list[BaseRoute] = [Route("/openapi.json", document), Route("/api", description)]
