"""The tables: the original's two, unchanged, and what delivery, mail and archive need beside them.

`MIGRATIONS` is append-only; `migrate` brings a file up to date with it.
"""

import re
import sqlite3

TIME, NAME = "recordWrittenUTC", "sensorName"
NUMBERS = ("dewPointF", "temperatureF", "relHumidityPercent", "battVoltage", "battPercent", "apRSSI")
COLUMNS = (TIME, *NUMBERS, NAME)
"""The original's columns of a reading, in its order."""
SENSOR_COLUMNS = (TIME, NAME, "location", "MACaddress", "softwareVersion")
"""The original's columns of what a sensor reports about itself."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    # 1: the original's tables, and the readings' delivery.
    (
        """
        CREATE TABLE IF NOT EXISTS ECCTempHum (
            recordWrittenUTC TEXT, dewPointF REAL, temperatureF REAL, relHumidityPercent REAL,
            battVoltage REAL, battPercent REAL, apRSSI INTEGER, sensorName TEXT,
            PRIMARY KEY (sensorName, recordWrittenUTC))
        """,
        "CREATE INDEX IF NOT EXISTS ECCTempHum_sensor_idx ON ECCTempHum (sensorName)",
        """
        CREATE TABLE IF NOT EXISTS ECCTempHumSensor (
            recordWrittenUTC TEXT, sensorName TEXT, location TEXT, MACaddress TEXT, softwareVersion TEXT,
            PRIMARY KEY (sensorName, recordWrittenUTC))
        """,
        "CREATE INDEX IF NOT EXISTS ECCTempHumSensor_sensor_idx ON ECCTempHumSensor (sensorName)",
        # Rejected messages, as they arrived.
        """
        CREATE TABLE ECCRejected (
            receivedUTC TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, reason TEXT NOT NULL,
            replayedUTC TEXT)
        """,
        # One row a burst, as long as the broker may send its packets again: see deliveries.py.
        "CREATE TABLE ECCDelivery (burst INTEGER PRIMARY KEY, packets BLOB NOT NULL)",
        # Counters that outlive a restart.
        "CREATE TABLE ECCCounter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    ),
    # 2: messages to be sent, and how far each channel has come: see notifications/outbox.py.
    (
        """
        CREATE TABLE ECCMail (
            number INTEGER PRIMARY KEY, addedUTC TEXT NOT NULL, messageId TEXT NOT NULL,
            subject TEXT NOT NULL, plain TEXT NOT NULL, html TEXT NOT NULL, picture BLOB)
        """,
        """
        CREATE TABLE ECCMailWay (
            way TEXT NOT NULL UNIQUE, doneUpTo INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
            nextTryUTC TEXT, failingSinceUTC TEXT, fault TEXT, lastSentUTC TEXT)
        """,
    ),
    # 3: how each sensor stood when this file began, and how each one stands: see archive.py.
    (
        """
        CREATE TABLE ECCKnownSensor (
            recordWrittenUTC TEXT NOT NULL, dewPointF REAL, temperatureF REAL, relHumidityPercent REAL,
            battVoltage REAL, battPercent REAL, apRSSI INTEGER, sensorName TEXT PRIMARY KEY,
            location TEXT, MACaddress TEXT, softwareVersion TEXT)
        """,
        # Going from one name to the next in the index reads no row twice.
        """
        CREATE VIEW ECCLatest AS
        WITH RECURSIVE sensor(name) AS (
            SELECT min(sensorName) FROM ECCTempHum
            UNION ALL
            SELECT (SELECT min(sensorName) FROM ECCTempHum WHERE sensorName > name) FROM sensor
            WHERE name IS NOT NULL)
        SELECT measured.*,
            coalesce(about.location, before.location) AS location,
            coalesce(about.MACaddress, before.MACaddress) AS MACaddress,
            coalesce(about.softwareVersion, before.softwareVersion) AS softwareVersion
        FROM sensor
        JOIN ECCTempHum AS measured ON measured.sensorName = sensor.name AND measured.recordWrittenUTC =
            (SELECT max(recordWrittenUTC) FROM ECCTempHum WHERE sensorName = sensor.name)
        LEFT JOIN ECCTempHumSensor AS about ON about.rowid =
            (SELECT max(rowid) FROM ECCTempHumSensor WHERE sensorName = sensor.name)
        LEFT JOIN ECCKnownSensor AS before ON before.sensorName = sensor.name
        UNION ALL
        SELECT before.* FROM ECCKnownSensor AS before
        WHERE NOT EXISTS (SELECT 1 FROM ECCTempHum WHERE sensorName = before.sensorName)
        """,
    ),
    # 4: notices, and what the monitor has learned about each sensor: see notifications/table.py.
    (
        """
        CREATE TABLE ECCNotice (
            number INTEGER PRIMARY KEY, kind TEXT NOT NULL, sensorName TEXT NOT NULL, location TEXT,
            sinceUTC TEXT NOT NULL, noticedUTC TEXT NOT NULL, overUTC TEXT, toldUTC TEXT,
            timesTold INTEGER NOT NULL, facts TEXT NOT NULL, done INTEGER NOT NULL)
        """,
        "CREATE INDEX ECCNotice_pending_idx ON ECCNotice (number) WHERE done = 0",
        "CREATE TABLE ECCWatch (sensorName TEXT PRIMARY KEY, memory TEXT NOT NULL) WITHOUT ROWID",
    ),
    # 5: the same view with each column by its name: somebody may have added columns to the original's tables.
    (
        "DROP VIEW IF EXISTS ECCLatest",
        """
        CREATE VIEW ECCLatest AS
        WITH RECURSIVE sensor(name) AS (
            SELECT min(sensorName) FROM ECCTempHum
            UNION ALL
            SELECT (SELECT min(sensorName) FROM ECCTempHum WHERE sensorName > name) FROM sensor
            WHERE name IS NOT NULL)
        SELECT measured.recordWrittenUTC, measured.dewPointF, measured.temperatureF,
            measured.relHumidityPercent, measured.battVoltage, measured.battPercent, measured.apRSSI,
            measured.sensorName,
            coalesce(about.location, before.location) AS location,
            coalesce(about.MACaddress, before.MACaddress) AS MACaddress,
            coalesce(about.softwareVersion, before.softwareVersion) AS softwareVersion
        FROM sensor
        JOIN ECCTempHum AS measured ON measured.sensorName = sensor.name AND measured.recordWrittenUTC =
            (SELECT max(recordWrittenUTC) FROM ECCTempHum WHERE sensorName = sensor.name)
        LEFT JOIN ECCTempHumSensor AS about ON about.rowid =
            (SELECT max(rowid) FROM ECCTempHumSensor WHERE sensorName = sensor.name)
        LEFT JOIN ECCKnownSensor AS before ON before.sensorName = sensor.name
        UNION ALL
        SELECT before.recordWrittenUTC, before.dewPointF, before.temperatureF, before.relHumidityPercent,
            before.battVoltage, before.battPercent, before.apRSSI, before.sensorName, before.location,
            before.MACaddress, before.softwareVersion
        FROM ECCKnownSensor AS before
        WHERE NOT EXISTS (SELECT 1 FROM ECCTempHum WHERE sensorName = before.sensorName)
        """,
    ),
    # 6: numbers that a sensor sends beyond the original's columns, each with the key of its reading.
    (
        """
        CREATE TABLE ECCValue (
            recordWrittenUTC TEXT NOT NULL, sensorName TEXT NOT NULL, field TEXT NOT NULL,
            value REAL NOT NULL, PRIMARY KEY (sensorName, recordWrittenUTC, field))
        """,
    ),
    # 7: the kinds that a channel gets, and for which choice a message is: see notifications/outbox.py.
    (
        "CREATE TABLE ECCMailWayChoice (way TEXT PRIMARY KEY, choice TEXT NOT NULL)",
        "CREATE TABLE ECCMailChoice (number INTEGER PRIMARY KEY, choice TEXT NOT NULL)",
    ),
)

CREATE = re.compile(r"\s*CREATE (TABLE|VIEW|INDEX)( IF NOT EXISTS)? (\w+)")
"""What a statement of a migration creates: kind, condition, name."""

NOTED_ROW, NOTED_IRREGULAR, NOTED_UNREADABLE = "rows checked up to", "irregular rows", "unreadable rows"
NOTED_GARBLED = "texts in another encoding"
NOTED = (NOTED_ROW, NOTED_IRREGULAR, NOTED_UNREADABLE, NOTED_GARBLED)
"""Names in `ECCCounter` for what was found in the rows of this file: see irregularity.py."""

ORIGINAL = ("ECCTempHum", "ECCTempHumSensor")
"""The original's tables, to which somebody may have added columns."""
STAYING = (*ORIGINAL, "ECCValue")
"""Tables whose rows stay in the file in which they were written, when it becomes an archive."""

CARRIED = {
    "ECCKnownSensor": "* FROM ECCLatest",
    "ECCRejected": "receivedUTC, topic, payload, reason, NULL FROM ECCRejected"
    " WHERE replayedUTC IS NULL ORDER BY rowid",
    "ECCDelivery": "* FROM ECCDelivery",
    "ECCCounter": f"* FROM ECCCounter WHERE name NOT IN {NOTED}",
    "ECCMail": "* FROM ECCMail",
    "ECCMailWay": "* FROM ECCMailWay",
    "ECCMailWayChoice": "* FROM ECCMailWayChoice",
    "ECCMailChoice": "* FROM ECCMailChoice",
    "ECCNotice": "* FROM ECCNotice",
    "ECCWatch": "* FROM ECCWatch",
}
"""All other tables, with the rows that are copied into the next file, in the order of their columns."""


def columns(connection: sqlite3.Connection, table: str, schema: str = "main") -> dict[str, str]:
    """Return the columns of a table that can be written, by their names in lower case; empty without one."""
    rows = connection.execute(f"PRAGMA {schema}.table_xinfo({quoted(table)})")
    return {name.lower(): name for _, name, _, _, _, _, hidden in rows if not hidden}


def quoted(name: str) -> str:
    """Return a name as SQL writes it, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'
