"""A thread for what may take long, one task at a time, so that the loop never waits for it."""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Worker(Generic[Result]):
    """A thread that runs a task, and returns its results one by one."""

    def __init__(self) -> None:
        """Start the thread. It ends with the process, whatever it is doing."""
        self.is_busy = False
        self._tasks: SimpleQueue[Callable[[], Iterable[Result]]] = SimpleQueue()
        self._results: SimpleQueue[list[Result]] = SimpleQueue()
        threading.Thread(target=self._work, name="mail", daemon=True).start()

    def start(self, task: Callable[[], Iterable[Result]]) -> None:
        """Start a task; only call this while the thread isn't busy."""
        self.is_busy = True
        self._tasks.put(task)

    def collect(self, within_s: float = 0) -> list[Result]:
        """Return the results so far; while the task isn't done, wait `within_s` for each."""
        results: list[Result] = []
        with suppress(Empty):
            while True:
                result = self._results.get(block=self.is_busy and within_s > 0, timeout=within_s or None)
                # An empty result: the task is done.
                self.is_busy = bool(result)
                results += result
        return results

    def _work(self) -> None:
        while True:
            task = self._tasks.get()
            try:
                for result in task():
                    self._results.put([result])
            except Exception:  # noqa: BLE001 - nothing may end the thread
                _log.exception("An error in this program, in the mail thread")
            self._results.put([])
