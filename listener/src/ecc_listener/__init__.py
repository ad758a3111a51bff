"""Readings of wireless sensors: from an MQTT broker into SQLite, and to people by page and mail.

The way of a message::

    broker -> mqtt.session (burst) -> readings.form (decode) -> storage.store (commit) -> acknowledge

`service` is the one loop that moves messages along this way. What is not committed is not acknowledged, so
the broker sends it again; what arrives twice is recognised and stored once.

Once a second the loop runs `tasks`: `monitoring` finds problems, `notifications` decides what of it is sent,
`storage.archive` archives a full database, `history.rollup_writer` adds up hours and days, `backup.schedule`
creates the daily backup. `web`, another process, only reads. `listener/docs/architecture.md` has the details.
"""

__version__ = "3.0.0"
__date__ = "2026-11-24"
