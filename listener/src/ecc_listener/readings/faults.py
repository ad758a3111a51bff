"""Which faults of which sensors are known already, so that each is reported once. Pure."""

from ecc_listener.readings.reading import Fault, Reading

_MAX_KNOWN = 10_000


class KnownFaults:
    """The faults that were seen since the start."""

    def __init__(self) -> None:
        """Start with none."""
        self._known: set[tuple[str, str]] = set()

    def new_ones(self, reading: Reading) -> list[Fault]:
        """Return the faults that this sensor has not had before, and remember them."""
        new = [one for one in reading.faults if (reading.sensor_name, one.quantity) not in self._known]
        # Names come from the network: who invents them must not fill the memory.
        if len(self._known) > _MAX_KNOWN:
            self._known.clear()
        self._known.update((reading.sensor_name, one.quantity) for one in new)
        return new
