"""What every request has to pass, and the headers of every response.

A foreign web site could point its own name at this machine (DNS rebinding) and then read the page through a
visitor's browser. So without a password the page answers only to names that nobody on the internet can own.
"""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecc_listener.web.auth import BasicAuth
from ecc_listener.web.responses import problem

HEADERS = {
    # Nothing from other sites, and no script or style within the page.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

OPEN = frozenset({"/health"})
"""What needs no password: it says `ok` while the page runs, and nothing else."""
_MAX_QUERY = 4000
_OWN_NAME = re.compile(
    r"""(?ix)
    \[ [0-9a-f:.]+ \] | [0-9]+ (\.[0-9]+){3}            # an address
    | [a-z0-9_-]+                                       # a name of one word, which is local
    | ([a-z0-9_-]+\.)+ (localhost|local|lan|home\.arpa|internal|test)   # names that nobody can register
    """
)


def is_own_name(host: str) -> bool:
    """Return whether a Host header is an address, or a name that nobody on the internet can own."""
    return bool(_OWN_NAME.fullmatch(re.sub(r":\d{1,5}$", "", host).removesuffix(".")))


class SecurityMiddleware:
    """Checks every request, and adds the headers to every response."""

    def __init__(self, app: ASGIApp, gate: BasicAuth) -> None:
        """Protect `app` with `gate`."""
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
        except HTTPException as error:
            answer = problem(Request(scope), error)
            await answer(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if not self._gate.is_closed and not is_own_name(headers.get("host", "")):
            raise HTTPException(
                421,
                "Without a password, this page answers only to addresses and local names. "
                "Open it by its IP address, or write username,password into secrets/web_credentials.",
            )
        # The password comes first: whoever doesn't know it learns nothing about addresses and methods.
        if scope["path"] not in OPEN:
            client = scope.get("client") or ("", 0)
            self._gate.check(headers.get("authorization", ""), client[0], scope["app"].state.now_us())
        if scope["method"] not in {"GET", "HEAD"}:
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        if len(scope["query_string"]) > _MAX_QUERY:
            raise HTTPException(414, "The address is too long. Ask for less at once.")
