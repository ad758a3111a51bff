"""The mail thread: does what may take long, one thing at a time, so that the loop never waits for it."""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Worker(Generic[Result]):
    """A thread that is handed an act, and gives its results one by one."""

    def __init__(self) -> None:
        """Start the thread. It ends with the process, whatever it is doing then."""
        self.is_busy = False
        self._acts: SimpleQueue[Callable[[], Iterable[Result]]] = SimpleQueue()
        self._results: SimpleQueue[list[Result]] = SimpleQueue()
        threading.Thread(target=self._work, name="mail", daemon=True).start()

    def start(self, act: Callable[[], Iterable[Result]]) -> None:
        """Let the thread do this; only while it isn't busy."""
        self.is_busy = True
        self._acts.put(act)

    def collect(self, within_s: float = 0) -> list[Result]:
        """Return the results that have come; while the act isn't done, wait for each of them so long."""
        results: list[Result] = []
        with suppress(Empty):
            while True:
                result = self._results.get(block=self.is_busy and within_s > 0, timeout=within_s or None)
                # Nothing in it: the act is done.
                self.is_busy = bool(result)
                results += result
        return results

    def _work(self) -> None:
        while True:
            act = self._acts.get()
            try:
                for result in act():
                    self._results.put([result])
            except Exception:  # noqa: BLE001 - nothing may end the thread
                _log.exception("A fault in this program, in the mail thread")
            self._results.put([])
