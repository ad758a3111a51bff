"""The listener as a process of its own, as it runs in the container."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

from ecc_listener import health
from ecc_listener.storage.connection import connect_readonly
from support.brokers import PASSWORD, USERNAME, until


class Listener:
    """`ecc-listener` in a folder of its own."""

    def __init__(self, folder: Path, port: int, **settings: object) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.database = folder / "ECCTempHum.sqlite3"
        self.health_file = Path(str(settings.get("health_file_path", folder / "health.json")))
        (folder / "credentials").write_text(f"{USERNAME},{PASSWORD}\n")
        given = {
            "mqtt_port": port,
            "database_file_path": self.database,
            "log_file_path": folder / "log",
            "credentials_file_path": folder / "credentials",
            "health_file_path": self.health_file,
            "last_notice_file_path": folder / "last_notice",
        } | settings
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ECC_")}
        self.environment |= {f"ECC_{name.upper()}": str(value) for name, value in given.items()}
        self.process: subprocess.Popen[bytes] | None = None
        self.program = ["-m", "ecc_listener"]

    def start(self, *, connected: bool = True, before: tuple[str, ...] = ()) -> None:
        """Start it, and wait until it is connected."""
        self.health_file.unlink(missing_ok=True)
        with (self.folder / "stderr").open("ab") as errors:
            self.process = subprocess.Popen(
                [*before, sys.executable, *self.program],
                env=self.environment,
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                # strace passes no signal on: all of them are ended together.
                process_group=0,
            )
        if connected:
            until(self.is_connected, 20)

    def start_supervised(self, before: tuple[str, ...]) -> None:
        """Start it as Compose does: where the start itself fails, once more."""
        self.start(connected=False, before=before)
        process = self.process
        assert process
        until(lambda: self.is_connected() or process.poll() is not None, 20)
        if process.poll() is not None:
            self.start()

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 15) -> int:
        """End it; give its exit status."""
        assert self.process is not None
        os.killpg(self.process.pid, number)
        status = self.process.wait(timeout_s)
        self.process = None
        return status

    def freeze(self) -> None:
        """Let it do nothing any more, not even end."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)

    def end(self) -> None:
        """End it whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a verb with the same settings."""
        return subprocess.run(
            [sys.executable, "-m", "ecc_listener", *words],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def health(self) -> health.Health | None:
        return health.read(self.health_file)

    def is_connected(self) -> bool:
        told = self.health()
        return told is not None and told.broker_fault is None

    def log(self) -> str:
        return (self.folder / "log").read_text() if (self.folder / "log").exists() else ""

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Read from the database, as a volunteer does while it runs."""
        connection = connect_readonly(self.database)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def count(self, table: str = "ECCTempHum") -> int:
        try:
            return int(str(self.query(f"SELECT count(*) FROM {table}")[0][0]))
        except sqlite3.OperationalError:
            return 0

    def store_fails(self) -> bool:
        told = self.health()
        return told is not None and told.store_fault is not None

    def wait_for_more(self, rows: int, timeout_s: float = 10) -> None:
        """Wait until at least so many readings have come in addition."""
        before = self.count()
        until(lambda: self.count() >= before + rows, timeout_s)

    def wait_for(self, rows: int, timeout_s: float = 10) -> None:
        """Wait until exactly so many readings are stored."""
        until(lambda: self.count() == rows, timeout_s)

    def temperatures(self) -> Counter[float]:
        """Count each temperature stored: the tests number their readings by it."""
        return Counter(float(str(row[0])) for row in self.query("SELECT temperatureF FROM ECCTempHum"))


SOON_READ = [
    "-c",
    (
        "import sys; from ecc_listener import cli; from ecc_listener.monitoring import monitor;"
        " monitor._ENVIRONMENT_EVERY_US = 1_000_000; sys.exit(cli.main([]))"
    ),
]
"""The program, which reads the limits file again every second."""
