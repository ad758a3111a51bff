"""Live updates: what changes is sent to every open page, as server-sent events.

One poller serves all pages, and only runs while one is open. A slow viewer may miss versions in between, but
never the last one; a viewer that reconnects says which version it has.
"""

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from ecc_listener.web.preferences import Preferences
from ecc_listener.web.responses import preferences_of
from ecc_listener.web.rooms import View, view
from ecc_listener.web.snapshot import Observer, Snapshot

MAX_VIEWERS = 400
_POLL_S = 1.0
_BEATS = 20


class Hub:
    """The open pages, and the poller that serves them."""

    def __init__(self, observer: Observer) -> None:
        """Prepare; the poller starts with the first viewer."""
        self._observer = observer
        self._viewers = 0
        self._poller: asyncio.Task[None] | None = None
        self._next: asyncio.Future[Snapshot] | None = None
        self._seen: tuple[Snapshot | None, dict[Preferences, View]] = None, {}

    def is_full(self) -> bool:
        """Return whether the limit of viewers is reached."""
        return self._viewers >= MAX_VIEWERS

    async def messages(self, preferences: Preferences, version: str) -> AsyncIterator[str]:
        """Yield what changes for a viewer that has a version, event by event, without end."""
        self._viewers += 1
        try:
            shown: dict[str, str] = {}
            seen = self._view(await run_in_threadpool(self._observer.snapshot), preferences)
            if seen.version == version:
                shown = seen.parts
            yield "retry: 3000\n\n"
            beats = 0
            while True:
                if seen.parts != shown:
                    yield _event(seen, shown)
                    shown, beats = seen.parts, 0
                seen, beats = self._view(await self._next_snapshot(), preferences), beats + 1
                if beats >= _BEATS:
                    yield "event: beat\ndata:\n\n"
                    beats = 0
        finally:
            self._viewers -= 1

    def _view(self, snapshot: Snapshot, preferences: Preferences) -> View:
        """Return the view for some preferences, made once for all viewers that share them."""
        if self._seen[0] is not snapshot:
            self._seen = snapshot, {}
        views = self._seen[1]
        if preferences not in views:
            views[preferences] = view(snapshot, preferences)
        return views[preferences]

    async def _next_snapshot(self) -> Snapshot:
        """Wait for the poller's next snapshot."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        return await asyncio.shield(self._next)

    async def _poll(self) -> None:
        await asyncio.sleep(_POLL_S)
        snapshot = await run_in_threadpool(self._observer.snapshot)
        if self._next:
            self._next.set_result(snapshot)
        self._next = None


def _event(seen: View, shown: dict[str, str]) -> str:
    parts = seen.parts
    changed = {name: html for name, html in parts.items() if shown.get(name) != html}
    text = json.dumps({"order": list(seen.cards), "parts": changed}, ensure_ascii=False)
    return f"id: {seen.version}\ndata: {text}\n\n"


async def live(request: Request) -> Response:
    """Send what changes from the version that the viewer has."""
    hub: Hub = request.app.state.hub
    if hub.is_full():
        raise HTTPException(
            503,
            "Too many pages are open at the same time. Close some, and try again in a minute.",
            {"Retry-After": "60"},
        )
    version = request.headers.get("last-event-id") or request.query_params.get("have", "")
    messages = hub.messages(preferences_of(request), version)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(messages, media_type="text/event-stream", headers=headers)


ROUTES: list[BaseRoute] = [Route("/live", live)]
