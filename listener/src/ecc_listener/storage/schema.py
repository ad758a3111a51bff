"""The tables: the original's two, unchanged, and what delivery, mail and archive need beside them.

`MIGRATIONS` is append-only. `PRAGMA user_version` says how many of them a file has seen, so an original
database (0) opens and goes on as it is.
"""

import sqlite3

from ecc_listener.storage.connection import StoreError, atomic

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
        # What arrived and is no reading: kept as it came.
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
    # 2: letters that are to be sent, and how far each way to a person has come: see outbox.py.
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
    # 4: notices, and what the watch has learned of each sensor: see notice_table.py.
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
)

STAYING = ("ECCTempHum", "ECCTempHumSensor")
"""Tables whose rows stay in the file in which they were written, when it becomes an archive."""

CARRIED = {
    "ECCKnownSensor": "* FROM ECCLatest",
    "ECCRejected": "receivedUTC, topic, payload, reason, NULL FROM ECCRejected"
    " WHERE replayedUTC IS NULL ORDER BY rowid",
    "ECCDelivery": "* FROM ECCDelivery",
    "ECCCounter": "* FROM ECCCounter",
    "ECCMail": "* FROM ECCMail",
    "ECCMailWay": "* FROM ECCMailWay",
    "ECCNotice": "* FROM ECCNotice",
    "ECCWatch": "* FROM ECCWatch",
}
"""Every other table, with what of it goes on in the next file: its rows, in its columns' order."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the newest schema, one transaction a step.

    Raises:
        StoreError: the file was written by a newer version of this program.

    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the database is of schema {version}, this program knows {len(MIGRATIONS)}: "
            "it was written by a newer version; install that one"
        )
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        with atomic(connection):
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
