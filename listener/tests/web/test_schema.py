"""The running page: generated requests by its own OpenAPI document, valid ones and others, and raw bytes."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ecc_listener.web.api import DOCUMENT
from support.brokers import free_port, until
from support.viewers import READING, House

_EXAMPLES = 25
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the page as a process, over a database with one sensor; give its address."""
    house = House(tmp_path_factory.mktemp("page"))
    house.stored((house.now_us, READING))
    house.well()
    port = free_port()
    flags = {"-d": house.database, "--health_file_path": house.health_path, "--web_port": port}
    words = [str(word) for flag in flags.items() for word in flag]
    process = subprocess.Popen(
        [sys.executable, "-m", "ecc_listener", "web", *words], cwd=house.folder, stdout=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(address))
        yield address
        assert process.poll() is None, "the page has ended"
    finally:
        process.terminate()
        process.wait(20)


def _answers(address: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{address}/health").text == "ok"
    return False


_BOUNDED = settings(
    max_examples=_EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
@pytest.mark.parametrize("path", [*DOCUMENT["paths"]])
def test_every_answer_is_one_that_the_document_describes(
    page: str, path: str, mode: schemathesis.GenerationMode
) -> None:
    schema = schemathesis.openapi.from_url(f"{page}/openapi.json")
    operation = schema[path]["GET"]
    if mode.is_negative and not operation.query:
        return  # Nothing in it can be wrong.

    @_BOUNDED
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.call_and_validate(base_url=page, checks=_CHECKS, headers={"Accept": "application/json"})

    ask()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        # Which of two names counts must not depend on who reads them.
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: 127.0.0.1\r\n\r\n", 421),
        (b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET /static/../../app.py HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
        (b"GET /static/%2e%2e/app.py HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
        (b"GET /static/..%2f..%2f..%2fetc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
        (b"GET /static/x%00.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
        (
            (
                b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            405,
        ),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405),
        (
            b"GET /live HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            421,
        ),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    ],
)
def test_raw_requests_are_refused_without_an_error_of_the_page(
    page: str, request_: bytes, status: int
) -> None:
    port = int(page.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(request_)
        answer = client.recv(65536)
    assert answer.split(b" ", 2)[1] == b"%d" % status
    assert b"Office" not in answer
    assert _answers(page)
