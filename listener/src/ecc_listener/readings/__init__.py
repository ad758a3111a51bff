"""What a reading is, and how payloads are decoded. Pure: no clock, no file, no socket.

Bytes of one message enter; a `Reading` leaves, or `NotAReading` is raised with the reason in plain words.
Start with `reading`.
"""
