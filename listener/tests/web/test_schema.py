"""The running page against its own OpenAPI document: generated requests, valid ones and others."""

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

_EXAMPLES = 40
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
