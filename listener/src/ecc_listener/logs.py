"""Log lines, to stdout and to a file that is archived when it is large enough.

The loop only puts lines into a bounded queue; a thread writes them, another one compresses. Archives are
`<log>.1.gz`, `<log>.2.gz` ...: `.1` is the oldest, the highest number the newest. A rotated file is
`<log>.<number>` until its gzip is whole. Whatever a crash leaves, the next start puts in order.
"""

import gzip
import logging
import logging.handlers
import os
import queue
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ecc_listener.settings import Settings

_QUEUE_LINES = 10_000
_COLOURS = {logging.WARNING: "\033[33m", logging.ERROR: "\033[31m", logging.CRITICAL: "\033[31m"}
_PART = ".part"


@contextmanager
def setup(settings: Settings) -> Iterator[None]:
    """Log to stdout and to the log file until the context ends; all lines are written then."""
    lines = LossyQueueHandler(queue.Queue(_QUEUE_LINES))
    screen = logging.StreamHandler(sys.stdout)
    screen.setFormatter(LineFormatter(colour=sys.stdout.isatty()))
    file = LogFile(settings.log_file_path, settings.archive_log_size, settings.max_log_archives)
    file.setFormatter(LineFormatter())
    root = logging.getLogger()
    before = root.level, root.handlers
    root.handlers = [lines]
    root.setLevel(settings.log_level)
    listener = logging.handlers.QueueListener(lines.queue, screen, file)
    listener.start()
    try:
        yield
    finally:
        root.setLevel(before[0])
        root.handlers = before[1]
        listener.stop()
        file.close()


class LineFormatter(logging.Formatter):
    """`2026-11-23 18:06:10Z INFO    text`: one line per record, so that no text can forge another."""

    def __init__(self, *, colour: bool = False) -> None:
        """Colour warnings and errors on a terminal."""
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback follows it, indented."""
        moment = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(record.created))
        text = "".join(
            one if one.isprintable() else one.encode("unicode_escape", "replace").decode()
            for one in record.getMessage()
        )
        line = f"{moment} {record.levelname:<7} {text}"
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line += "".join(f"\n    {part}" for part in record.exc_text.splitlines())
        start = _COLOURS.get(record.levelno, "") if self._colour else ""
        return f"{start}{line}\033[0m" if start else line


class LossyQueueHandler(logging.handlers.QueueHandler):
    """Passes records to the writing thread; if that can't keep up, it drops and counts them."""

    def __init__(self, records: "queue.Queue[logging.LogRecord]") -> None:
        """Put records into `records`, as long as there is room."""
        super().__init__(records)
        self._dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Format the text now, before the values in it change."""
        record.msg, record.args = record.getMessage(), None
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue a record, after one that counts the dropped ones."""
        try:
            if self._dropped:
                lost = f"{self._dropped} log lines were dropped: the disk or terminal was too slow"
                self.queue.put_nowait(
                    logging.makeLogRecord({"msg": lost, "levelname": "WARNING", "levelno": 30})
                )
                self._dropped = 0
            self.queue.put_nowait(record)
        except queue.Full:
            self._dropped += 1


class LogFile(logging.Handler):
    """The log file and its archives."""

    def __init__(self, path: Path, max_bytes: int, max_archives: int) -> None:
        """Append to `path`; complete what an earlier run left."""
        super().__init__()
        self._path = path
        self._max_bytes = max_bytes
        self.archives = Archives(path, max_archives)
        self._file: IO[str] | None = None
        self._fails = False
        self.archives.tidy_soon()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line. A full disk or a lost folder is reported on stdout once, and tried again."""
        try:
            file = self._open()
            file.write(self.format(record) + "\n")
            file.flush()
            self._fails = False
            if file.tell() >= self._max_bytes:
                self._rotate()
        except (OSError, ValueError) as error:
            if not self._fails:
                print(f"The log file {self._path} can't be written: {error}", file=sys.stdout)
            self._fails = True
            self.close_file()

    def _open(self) -> IO[str]:
        if self._file is not None and not _is_same(self._file, self._path):
            self.close_file()  # Somebody moved or deleted it.
        if self._file is None:
            self._file = self._path.open("a", encoding="utf-8", errors="backslashreplace")
        return self._file

    def _rotate(self) -> None:
        self.close_file()
        self.archives.take(self._path)
        self.archives.tidy_soon()

    def close_file(self) -> None:
        """Close the file; the next line opens it again."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def close(self) -> None:
        """Close the handler. A compression that isn't done continues at the next start."""
        self.close_file()
        super().close()


class Archives:
    """The rotated files of one log, oldest first: `<log>.<n>`, and `<log>.<n>.gz` once compressed."""

    def __init__(self, log: Path, maximum: int) -> None:
        """Keep at most `maximum` files; with 0 a rotated file is deleted at once."""
        self._log = log
        self._maximum = maximum
        self._names = threading.Lock()
        self._again = threading.Event()
        self._worker: threading.Thread | None = None

    def take(self, log: Path) -> None:
        """Return the full log the next number."""
        with self._names:
            present = self._numbered()
            log.replace(self._named(present[-1][0] + 1 if present else 1))

    def tidy_soon(self) -> None:
        """Compress, renumber and delete in a separate thread."""
        self._again.set()
        if self._worker is None or not self._worker.is_alive():
            self._worker = threading.Thread(target=self._work, name="log-archives", daemon=True)
            self._worker.start()

    def wait(self, timeout_s: float) -> None:
        """Wait until nothing is left to do."""
        if self._worker is not None:
            self._worker.join(timeout_s)

    def _work(self) -> None:
        while self._again.is_set():
            self._again.clear()
            try:
                self.tidy()
            except OSError as error:
                print(f"The archives of {self._log} wait: {error}", file=sys.stdout)

    def tidy(self) -> None:
        """Tidy the folder: no partial files, all compressed, not too many, numbered from 1.

        Raises:
            OSError: something could not be done; it waits for the next time.

        """
        for part in self._log.parent.glob(f"{self._log.name}.*{_PART}"):
            part.unlink()
        with self._names:
            self._drop_and_renumber()
        for _, path in self._numbered():
            if path.suffix != ".gz":
                _compress(path)

    def _drop_and_renumber(self) -> None:
        present = self._numbered()
        for _, path in present:
            # A crash happened after the gzip was complete, before its source was deleted.
            if path.suffix != ".gz" and path.with_name(path.name + ".gz").exists():
                path.unlink()
        present = self._numbered()
        excess = max(0, len(present) - self._maximum)
        for _, path in present[:excess]:
            path.unlink()
        moves = [(number, new, path) for new, (number, path) in enumerate(present[excess:], 1)]
        # Where both forms of the original's names bear one number, some move up: the highest first, and
        # before those that move down, so that nothing is renamed over another.
        moves.sort(key=lambda move: (move[1] <= move[0], -move[1] if move[1] > move[0] else move[1]))
        for _, new, path in moves:
            path.rename(self._named(new, ".gz" if path.suffix == ".gz" or ".gz." in path.name else ""))

    def _numbered(self) -> list[tuple[int, Path]]:
        """Return the number and path of each file. The original also wrote `<log>.gz.<n>`."""
        pattern = re.compile(re.escape(self._log.name) + r"(?:\.gz)?\.(\d+)(?:\.gz)?")
        matches = ((pattern.fullmatch(path.name), path) for path in self._log.parent.iterdir())
        return sorted((int(match[1]), path) for match, path in matches if match)

    def _named(self, number: int, ending: str = "") -> Path:
        return self._log.with_name(f"{self._log.name}.{number}{ending}")


def _compress(path: Path) -> None:
    part = path.with_name(f"{path.name}.gz{_PART}")
    try:
        with path.open("rb") as plain, part.open("wb") as file:
            with gzip.GzipFile(path.name, "wb", fileobj=file) as packed:
                shutil.copyfileobj(plain, packed, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path.with_name(path.name + ".gz"))
    except OSError:
        part.unlink(missing_ok=True)  # A full disk needs its room.
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    path.unlink()


def _is_same(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False
