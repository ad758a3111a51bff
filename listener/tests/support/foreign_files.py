"""Databases of the original that somebody has changed, by a seed: structure, rows, other objects."""

import random
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

COLUMNS = (
    *("recordWrittenUTC", "dewPointF", "temperatureF", "relHumidityPercent", "battVoltage", "battPercent"),
    *("apRSSI", "sensorName"),
)
TYPES = ("TEXT", "REAL", "REAL", "REAL", "REAL", "REAL", "INTEGER", "TEXT")
KEY = "PRIMARY KEY (sensorName, recordWrittenUTC)"
NAMES = ("ECCTH01", "ECCTH02", "Küche", "a'b", 'say "x"', "<b>", "ECCTH01 ", "x" * 300, "日本")

_LOGS = """
    CREATE TABLE log (at TEXT);
    CREATE TRIGGER logs AFTER INSERT ON ECCTempHum BEGIN INSERT INTO log VALUES (new.recordWrittenUTC); END
"""

Value = str | float | bytes | None


class Made(NamedTuple):
    """A file that was created, and how."""

    path: Path
    traits: tuple[str, ...]
    takes_readings: bool
    """False: some rule of somebody's refuses new rows."""


class Maker:
    """Creates files; the same seed creates the same ones."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.traits: list[str] = []
        self.takes_readings = True

    def create(self, path: Path) -> Made:
        """Create one at a path that does not exist."""
        self.traits, self.takes_readings = [], True
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            self._format(connection)
            self._tables(connection)
            self._rows(connection)
            self._sensor_rows(connection)
            self._objects(connection)
            self._versions(connection)
        if self._is(0.1):
            path.chmod(0o444)
            self.traits.append("read-only")
        return Made(path, tuple(self.traits), self.takes_readings)

    def _is(self, share: float) -> bool:
        return self.chance.random() < share

    def _format(self, connection: sqlite3.Connection) -> None:
        if self._is(0.3):
            encoding = self.chance.choice(("UTF-16le", "UTF-16be", "UTF-16"))
            connection.execute(f"PRAGMA encoding = '{encoding}'")
            self.traits.append(encoding)
        if self._is(0.4):
            size = 1 << self.chance.randrange(9, 17)
            connection.execute(f"PRAGMA page_size = {size}")
            self.traits.append(f"pages of {size}")
        if self._is(0.2):
            connection.execute(f"PRAGMA auto_vacuum = {self.chance.randrange(3)}")
        if self._is(0.2):
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            self.traits.append("WAL")

    def _tables(self, connection: sqlite3.Connection) -> None:
        columns = [self._column(name, kind) for name, kind in zip(COLUMNS, TYPES, strict=True)]
        if self._is(0.15):
            number = self.chance.randrange(1, 7)
            del columns[number]
            self.traits.append("a column less")
        for _ in range(self.chance.choice((0, 0, 0, 1, 2))):
            extra, where = (
                self._extra(),
                len(columns) if self._is(0.5) else self.chance.randrange(len(columns)),
            )
            columns.insert(where, extra)
            self.traits.append(f"column {extra}")
        if self._is(0.1):
            self.chance.shuffle(columns)
            self.traits.append("another order")
        ending = ""
        has_key = not self._is(0.25)
        if has_key:
            columns.append(KEY)
        else:
            self.traits.append("no key")
        if has_key and self._is(0.12):
            ending = " WITHOUT ROWID"
            self.traits.append("WITHOUT ROWID")
        connection.execute(f"CREATE TABLE ECCTempHum ({', '.join(columns)}){ending}")
        if not self._is(0.2):
            connection.execute("CREATE INDEX ECCTempHum_sensor_idx ON ECCTempHum (sensorName)")
        if self._is(0.6):
            more = ", since TEXT" if self._is(0.2) else ""
            rowid = " WITHOUT ROWID" if self._is(0.1) else ""
            key = "" if rowid == "" and self._is(0.2) else f", {KEY}"
            connection.execute(
                "CREATE TABLE ECCTempHumSensor (recordWrittenUTC TEXT, sensorName TEXT, location TEXT,"
                f" MACaddress TEXT, softwareVersion TEXT{more}{key}){rowid}"
            )

    def _column(self, name: str, kind: str) -> str:
        if self._is(0.05):
            name = name.upper()
        if self._is(0.1):
            kind = self.chance.choice(("", "TEXT", "BLOB", "NUMERIC", "VARCHAR(30)"))
            self.traits.append(f"{name} {kind or 'without type'}")
        if name.lower() == "sensorname" and self._is(0.05):
            kind += " COLLATE NOCASE"
            self.traits.append("NOCASE")
        return f"{name} {kind}"

    def _extra(self) -> str:
        number = self.chance.randrange(1000)
        extra = self.chance.choice(
            (
                "remark{n} TEXT",
                "note{n} TEXT DEFAULT 'it''s'",
                '"two words {n}" REAL DEFAULT 1.5',
                "id{n} INTEGER",
                "checked{n} INTEGER NOT NULL DEFAULT 0",
                "added{n} TEXT DEFAULT CURRENT_TIMESTAMP",
                "celsius{n} REAL GENERATED ALWAYS AS (length(sensorName)) VIRTUAL",
                "required{n} TEXT NOT NULL",
                "oid{n} BLOB DEFAULT x'00'",
            )
        ).replace("{n}", str(number))
        if "required" in extra:
            self.takes_readings = False
        return extra

    def _rows(self, connection: sqlite3.Connection) -> None:
        present = {row[1].lower(): row for row in connection.execute("PRAGMA table_info(ECCTempHum)")}
        names = [name for name in COLUMNS if name.lower() in present]
        required = [row[1] for name, row in present.items() if row[3] and name.startswith("required")]
        listed = ", ".join([*names, *required])
        places = ", ".join("?" * (len(names) + len(required)))
        for number in range(self.chance.choice((0, 1, 5, 60))):
            values = dict(zip(COLUMNS, self._values(number), strict=True))
            row = [values[name] for name in names] + ["x"] * len(required)
            for _ in range(2 if self._is(0.1) else 1):
                with suppress(sqlite3.IntegrityError):  # What the key refuses can't be in a file.
                    connection.execute(f"INSERT INTO ECCTempHum ({listed}) VALUES ({places})", row)

    def _values(self, number: int) -> tuple[Value, ...]:
        name: Value = self.chance.choice(NAMES[:2] if self._is(0.7) else NAMES)
        if self._is(0.12):
            name = self.chance.choice((None, "", b"ECCTH01", 7, 1.5, b"\xff"))
        numbers = (self._number(low, high) for low, high in ((30, 60), (60, 80), (20, 60), (2, 4), (0, 100)))
        rssi: Value = self.chance.randrange(-90, -40)
        if self._is(0.08):
            rssi = self.chance.choice((None, "strong", -60.5, 0))
        return (self._time(number), *numbers, rssi, name)

    def _number(self, low: float, high: float) -> Value:
        value = round(self.chance.uniform(low, high), 2)
        if self._is(0.9):
            return value
        odd: tuple[Value, ...] = (
            *(None, "", "warm", str(value), b"\x00\xff", float("inf"), -1e300, 10**15, int(value), "1e400"),
        )
        return self.chance.choice(odd)

    def _time(self, number: int) -> Value:
        year = self.chance.choice((2020, 2020, 2021, 2024, 2026))
        month, day = self.chance.randrange(1, 13), self.chance.randrange(1, 29)
        hour, minute, second = self.chance.randrange(24), self.chance.randrange(60), number % 60
        date, clock = f"{year}-{month:02}-{day:02}", f"{hour:02}:{minute:02}:{second:02}"
        if self._is(0.6):
            return f"{date} {clock}.{self.chance.randrange(10**6):06}"
        return self.chance.choice(
            (
                *(f"{date} {clock}", f"{date}T{clock}Z", f"{date}T{clock}", f"{date} {clock}Z"),
                *(
                    f"{date}T{clock}+13:00",
                    f"{date} {clock}.5-05:00",
                    f"{date}T{clock}.678Z",
                    f"{date} {clock[:5]}",
                ),
                *(f"{year}{month:02}{day:02}T{clock.replace(':', '')}Z", f"{date} {clock},25", date),
                *(
                    f"{day}.{month}.{year} {clock}",
                    f"{month}/{day}/{year}",
                    f"{date} {clock} UTC",
                    f" {date} {clock} ",
                ),
                *(
                    f"{date} 24:00:00",
                    f"{year}-13-45 99:99:99",
                    f"{year}-02-30 {clock}",
                    f"{date} {clock}.{'9' * 12}",
                ),
                *(
                    "",
                    "yesterday",
                    "now",
                    "0000-00-00 00:00:00",
                    "9999-12-31 23:59:59.999999",
                    "2199-01-01 00:00:00",
                ),
                *(
                    "1969-12-31 23:59:59",
                    "0001-01-01T00:00:00+14:00",
                    "1608347045",
                    1608347045,
                    1608347045.25,
                ),
                *(
                    None,
                    b"2020-12-19 03:04:05",
                    float("inf"),
                    "\x00",
                    "\uff12\uff10\uff12\uff10-12-19 03:04:05",
                ),
            )
        )

    def _sensor_rows(self, connection: sqlite3.Connection) -> None:
        if not connection.execute("PRAGMA table_info(ECCTempHumSensor)").fetchall():
            return
        names = "recordWrittenUTC, sensorName, location, MACaddress, softwareVersion"
        for number in range(self.chance.randrange(6)):
            location = self.chance.choice(("Office", None, "", b"\xff", 5, "Küche"))
            values = [self._time(number), self.chance.choice((*NAMES, None, b"x")), location, None, "1.0"]
            with suppress(sqlite3.IntegrityError):
                connection.execute(f"INSERT INTO ECCTempHumSensor ({names}) VALUES (?, ?, ?, ?, ?)", values)
        if self._is(0.1):
            with suppress(sqlite3.IntegrityError):
                name, place = "CAST(x'4bfc636865' AS TEXT)", "CAST(x'fc' AS TEXT)"
                time = "'2020-01-01 00:00:00'"
                connection.execute(
                    f"INSERT INTO ECCTempHumSensor ({names}) VALUES ({time}, {name}, {place}, NULL, NULL)"
                )
                connection.execute(
                    f"INSERT INTO ECCTempHum (recordWrittenUTC, sensorName) VALUES ({time}, {name})"
                )
                self.traits.append("Latin-1")

    def _objects(self, connection: sqlite3.Connection) -> None:
        choices = (
            ("CREATE INDEX by_time ON ECCTempHum (recordWrittenUTC)", True),
            ("CREATE INDEX warm ON ECCTempHum (sensorName) WHERE apRSSI > -70", True),
            ("CREATE INDEX by_hour ON ECCTempHum (substr(recordWrittenUTC, 1, 13))", True),
            ("CREATE VIEW newest AS SELECT * FROM ECCTempHum ORDER BY recordWrittenUTC DESC LIMIT 9", True),
            ("CREATE VIEW broken AS SELECT nothing FROM nowhere", True),
            (
                "CREATE VIEW ECCLatest AS SELECT sensorName, count(*) FROM ECCTempHum GROUP BY 1",
                True,
            ),
            ("CREATE TABLE rooms (sensor TEXT PRIMARY KEY, place TEXT)", True),
            ("CREATE TABLE ECCRejected (what TEXT)", True),
            ("CREATE TABLE ECCMail (number INTEGER PRIMARY KEY, text TEXT)", True),
            (_LOGS, True),
            ("CREATE TRIGGER keeps BEFORE DELETE ON ECCTempHum BEGIN SELECT RAISE(ABORT, 'kept'); END", True),
            (
                "CREATE TRIGGER stops BEFORE INSERT ON ECCTempHum BEGIN SELECT RAISE(ABORT, 'full'); END",
                False,
            ),
            ("CREATE TRIGGER hides BEFORE INSERT ON ECCTempHum BEGIN SELECT RAISE(IGNORE); END", False),
            (
                "CREATE TRIGGER fails AFTER INSERT ON ECCTempHum BEGIN INSERT INTO missing VALUES (1); END",
                False,
            ),
            ("CREATE UNIQUE INDEX one_each ON ECCTempHum (sensorName)", False),
            ("CREATE UNIQUE INDEX one_time ON ECCTempHum (recordWrittenUTC)", False),
        )
        for sql, takes_readings in self.chance.sample(choices, self.chance.choice((0, 0, 1, 1, 3))):
            with suppress(sqlite3.OperationalError, sqlite3.IntegrityError):
                connection.executescript(sql)
                self.traits.append(sql.split(" ON ")[0])
                self.takes_readings = self.takes_readings and takes_readings

    def _versions(self, connection: sqlite3.Connection) -> None:
        if self._is(0.4):
            version = self.chance.choice((1, 2, 3, 4, 5, 6, 42, 999, 20260101, -1, 2**31 - 1))
            connection.execute(f"PRAGMA user_version = {version}")
            self.traits.append(f"user_version {version}")
        if self._is(0.1):
            connection.execute("PRAGMA application_id = 1234")
