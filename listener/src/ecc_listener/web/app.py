"""The page's application, put together from its views.

A view is a module with `ROUTES`; add it to `_ROUTES`. What views share is in `app.state`: `settings`,
`now_us` (returns the time in microseconds since 1970), `observer` (the rooms, see `snapshot`) and
`backup_folder`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from anyio.to_thread import current_default_thread_limiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ecc_listener.credentials import Credentials
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError
from ecc_listener.web import api, events, history, live, metrics, month, rooms, system, units
from ecc_listener.web.auth import BasicAuth
from ecc_listener.web.backup_folder import BackupFolder
from ecc_listener.web.responses import problem
from ecc_listener.web.security import SecurityMiddleware
from ecc_listener.web.snapshot import Observer

_ROUTES: list[BaseRoute] = [
    *rooms.ROUTES,
    *live.ROUTES,
    *events.ROUTES,
    *system.ROUTES,
    *api.ROUTES,
    *units.ROUTES,
    *history.ROUTES,
    *month.ROUTES,
    *metrics.ROUTES,
    Route("/health", lambda _request: PlainTextResponse("ok")),
    Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
]


_MAX_WORKERS = 6
"""Threads that read the files; this also bounds the memory that they use."""


@asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[None]:
    current_default_thread_limiter().total_tokens = _MAX_WORKERS
    yield


def create(
    settings: Settings, credentials: Credentials | None, now_us: Callable[[], int], page_clock: str = ""
) -> Starlette:
    """Return the application; without credentials it is open to everybody."""
    app = Starlette(
        routes=_ROUTES,
        lifespan=_lifespan,
        middleware=[
            Middleware(SecurityMiddleware, gate=BasicAuth(credentials)),
            Middleware(GZipMiddleware, minimum_size=1_000, compresslevel=4),
        ],
        exception_handlers={HTTPException: problem, StoreError: problem, 500: problem},
    )
    app.state.settings = settings
    app.state.now_us = now_us
    app.state.page_clock = page_clock
    app.state.observer = Observer(settings, now_us)
    app.state.backup_folder = BackupFolder(settings.backup_folder)
    app.state.hub = live.Hub(app.state.observer)
    return app
