"""What a reading is, and how payloads are decoded. Pure: no clock, no file, no socket.

The topic and the bytes of one message enter; readings leave, or `NotAReading` is raised with the reason in
plain words. Start with `reading`, which has the type and the physical limits, and `formats`, which chooses
the format by the topic. Each format is a module: `form` is that of the original sensors, the others use
`build`.
"""

from ecc_listener.readings.formats import Decoder

__all__ = ["Decoder"]
