"""A real Prometheus that scrapes a page, from Debian's package; `scripts/test-setup` unpacks it."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import httpx

from support.brokers import ROOT, free_port, until


def program(name: str) -> str:
    """Return the path of `prometheus` or `promtool`."""
    found = shutil.which(name) or ROOT / ".cache/prometheus/usr/bin" / name
    assert Path(found).exists(), f"{name} is missing; listener/scripts/test-setup provides it"
    return str(found)


class Prometheus:
    """One server that scrapes an address once a second."""

    def __init__(self, folder: Path, target: str) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "ecc", "static_configs": [{"targets": [target]}]}],
        }
        # JSON is YAML.
        (folder / "prometheus.yml").write_text(json.dumps(config))
        self._command = [
            program("prometheus"),
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/series",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        until(self._is_ready)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def query(self, expression: str) -> list[Any]:
        """Return the series of an expression, each as {metric, value}."""
        answer = httpx.get(
            f"{self.address}/api/v1/query", params={"query": expression, "time": str(time.time())}
        )
        assert answer.status_code == 200, answer.text
        found: list[Any] = answer.json()["data"]["result"]
        return found
