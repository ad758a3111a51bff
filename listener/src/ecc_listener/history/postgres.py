"""Query the readings in PostgreSQL, with the answers that `query` gives for the files.

The statements are the same, each for all sensors at once; hours and days are added up by the server.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from ecc_listener.history import rollups
from ecc_listener.history.query import AGGREGATES, History
from ecc_listener.history.rollups import STEP_US, Aggregate, Step
from ecc_listener.readings.corrections import NO_CORRECTIONS, Corrections
from ecc_listener.storage.connection import StoreError, utc_text
from ecc_listener.storage.database_files import Span
from ecc_listener.storage.postgres.connection import connect, explain

_SERVER = Path("PostgreSQL")
_SPANS = """
    SELECT name, first, last FROM sensor
    CROSS JOIN LATERAL (SELECT time AS first FROM reading WHERE sensor_id = id ORDER BY 1 LIMIT 1) AS one
    CROSS JOIN LATERAL (SELECT time AS last FROM reading WHERE sensor_id = id ORDER BY 1 DESC LIMIT 1) AS two
    ORDER BY name
"""


class PostgresHistory(History):
    """The readings of a database. Nothing stays open between two calls."""

    def __init__(self, url: str, corrections: Corrections = NO_CORRECTIONS) -> None:
        """Take the database's URL and what to correct."""
        super().__init__(_SERVER, corrections)
        self._url = url

    def unreadable(self) -> list[str]:
        """Return nothing: there are no archives."""
        return []

    def unreadable_rows(self) -> int:
        """Return 0: the server refuses what is no time."""
        return 0

    def _spans(self) -> dict[Path, list[Span]]:
        return {_SERVER: [Span(*row) for row in self._fetch(_SPANS)]}

    def _query_each_file(
        self, query: str, sensors: Sequence[str] | None, start_us: int, end_us: int, *more: str
    ) -> list[tuple[Any, ...]]:
        return self._fetch(_of_all(query), self._names(sensors), utc_text(start_us), utc_text(end_us), *more)

    def _aggregates(
        self, sensors: Sequence[str], start_us: int, end_us: int, step: Step
    ) -> dict[str, dict[int, Aggregate]]:
        per_step = STEP_US[step] // STEP_US["hour"]
        found: dict[str, dict[int, Aggregate]] = {}
        query = _of_all(AGGREGATES).replace("SELECT ", "SELECT sensorName, ", 1).replace("BY 1", "BY 1, 2")
        for name, text, *aggregate in self._fetch(
            query, self._names(sensors), utc_text(start_us), utc_text(end_us)
        ):
            hour = rollups.hour_number(text)
            if hour is not None:
                sums = found.setdefault(self._corrections.present_name(name), {})
                rollups.add(sums, hour // per_step, tuple(aggregate))
        return found

    def _names(self, sensors: Sequence[str] | None) -> list[str]:
        """Return the names in the table of some sensors (None: all)."""
        present_name = self._corrections.present_name
        wanted = None if sensors is None else {present_name(name) for name in sensors}
        names = [name for (name,) in self._fetch("SELECT name FROM sensor ORDER BY name")]
        return [name for name in names if wanted is None or present_name(name) in wanted]

    def _fetch(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        connection = connect(self._url)
        try:
            return connection.execute(query, values).fetchall()
        except psycopg.errors.UndefinedTable:
            raise StoreError(
                "PostgreSQL: there are no tables; the listener creates them at its start"
            ) from None
        except psycopg.Error as error:
            raise StoreError(explain(error)) from None
        finally:
            connection.close()


def _of_all(query: str) -> str:
    """Return a statement about one sensor as one about a list of them, with PostgreSQL's text of an hour."""
    query = query.replace("sensorName = ?", "sensorName = ANY(?::text[])")
    return query.replace("substr(recordWrittenUTC, 1, 13)", "to_char(recordWrittenUTC, 'YYYY-MM-DD HH24')")
