"""What the monitor knows about sensors, for Home Assistant: once a second, what has changed."""

from ecc_listener.home_assistant import discovery
from ecc_listener.home_assistant.publisher import Publisher
from ecc_listener.monitoring.monitor import Monitor
from ecc_listener.monitoring.sensor import Sensor
from ecc_listener.mqtt.session import Broker


class HomeAssistant:
    """Keeps one device for each monitored sensor up to date."""

    def __init__(self, prefix: str, broker: Broker, monitor: Monitor) -> None:
        """Prepare; `prefix` is Home Assistant's discovery prefix, usually `homeassistant`."""
        self._prefix, self._monitor = prefix, monitor
        self._publisher = Publisher(broker, (discovery.STATUS_TOPIC, discovery.OFFLINE))
        self._last_us: dict[str, int] = {}
        self._entities: dict[str, dict[str, discovery.Entity]] = {}
        self._messages: dict[str, dict[str, bytes]] = {}
        """For each sensor, what its topics have."""

    def tick(self) -> None:
        """Publish what has changed since the last time; the first time, connect."""
        if not self._publisher.is_started:
            self._publisher.start()
        if self._publisher.tick():
            self._last_us.clear()
            self._messages.clear()
            self._publisher.set(discovery.STATUS_TOPIC, discovery.ONLINE)
        limits = self._monitor.limits
        sensors = {
            name: sensor
            for name, sensor in self._monitor.sensor_monitor.sensors.items()
            if sensor.is_steady and not limits.is_ignored(name, sensor.reading.location)
        }
        for name, sensor in sensors.items():
            self._update(name, sensor)
        for name in [name for name in self._messages if name not in sensors]:
            for topic in self._messages.pop(name):
                self._publisher.set(topic, b"")
            self._last_us.pop(name, None)
            self._entities.pop(name, None)

    def close(self) -> None:
        """Disconnect; all sensors are then unavailable."""
        self._publisher.close()

    def _update(self, name: str, sensor: Sensor) -> None:
        known = self._messages.setdefault(name, {})
        if self._last_us.get(name) != sensor.last_us:
            self._last_us[name] = sensor.last_us
            names = self._monitor.limits.field_names(name, sensor.reading.location)
            # What one reading lacks doesn't remove its entity.
            found = self._entities.setdefault(name, {})
            found |= {one.key: one for one in discovery.entities(sensor.reading, names)}
            config = discovery.config(sensor.reading, found.values())
            self._set(known, discovery.config_topic(self._prefix, name), config)
            self._set(known, discovery.state_topic(name), discovery.state(sensor.reading))
        is_silent = ("silent", name) in self._monitor.sensor_monitor.conditions.problems
        availability = discovery.OFFLINE if is_silent else discovery.ONLINE
        self._set(known, discovery.availability_topic(name), availability)

    def _set(self, known: dict[str, bytes], topic: str, payload: bytes) -> None:
        if known.get(topic) != payload:
            known[topic] = payload
            self._publisher.set(topic, payload)
