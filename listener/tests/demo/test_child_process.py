"""Child processes of the demonstration."""

import signal
from pathlib import Path

import pytest

from ecc_listener.demo import child_process
from support.brokers import until


def test_a_child_that_ignores_its_end_is_ended_hard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stubborn.py").write_text(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    child = child_process.start("stubborn", folder=tmp_path, output=tmp_path / "output")
    until(lambda: "ready" in (tmp_path / "output").read_text())
    child_process.stop(child, 0.2)
    assert child.returncode == -signal.SIGKILL
