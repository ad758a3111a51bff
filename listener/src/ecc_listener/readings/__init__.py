"""What a reading is, and how payloads are decoded. Pure: no clock, no file, no socket.

The bytes of one message enter; a `Reading` leaves, or `NotAReading` is raised with the reason in plain words.
Start with `reading`, which has the type and the physical limits; `form` decodes the payload of the original
sensors. Everybody else imports `decode` from here, so that this is the one place that chooses the format.
"""

from ecc_listener.readings.form import decode

__all__ = ["decode"]
