"""Whether the listener can hear anything at all: a second, short-lived connection that asks.

A broker grants a subscription that its access rules don't let the client read, and then delivers nothing.
So if nothing has arrived for a while after connecting, this connection publishes a probe to the listener's
topics, and looks at all topics for readings that it didn't subscribe to. It uses MQTT 5, whose PUBACK has a
reason.

It ends with the first message that arrives, and after a quarter of an hour, longer than sensors are silent;
as long as nothing arrives, another one follows every hour. Nothing is wrong with a broker on which no sensor
has sent yet, if the probe arrives.
"""

import logging
import math
from collections.abc import Callable
from threading import Lock

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from ecc_listener.mqtt.session import Broker
from ecc_listener.readings.topics import matches

_log = logging.getLogger(__name__)

PROBE = b"ecc-listener-probe"
"""What a probe begins with; it is acknowledged, and neither stored nor counted."""
PATIENCE_S = 20.0
_ANSWER_S = 10.0
_LOOK_S, _LOOK_AGAIN_S = 900.0, 3600.0
_FAILURE, _NOT_AUTHORISED = 0x80, 0x87
"""Reason codes of PUBACK (MQTT 5, section 3.4.2.1): from 0x80 on, the message was not accepted."""
_MAX_TOPICS, _MAX_HEARD = 5, 1_000


def is_probe(payload: bytes) -> bool:
    """Return whether a message is a probe."""
    return payload.startswith(PROBE)


class HearingCheck:
    """Checks each new connection that stays silent; `fault` says what keeps the listener from hearing."""

    def __init__(self, broker: Broker, is_reading: Callable[[str, bytes], bool]) -> None:
        """Prepare; nothing is sent before a connection was silent for a while."""
        self._broker = broker
        self._is_reading = is_reading
        self._connection = self._messages = 0
        self._next_look_s = 0.0
        self._look: _Look | None = None
        self._heard: set[str] = set()
        self._elsewhere: list[str] = []
        self.fault: str | None = None

    def probe_arrived(self, topic: str) -> None:
        """Note that a probe has come back: the listener may read this topic."""
        self._heard.add(topic)

    def tick(self, now_s: float, *, connection: int, messages: int, is_connected: bool, is_new: bool) -> None:
        """Look whether anything has arrived; `connection` and `messages` are counted from the start on.

        `is_new` says that no sensor was ever heard, so nothing proves that it is possible.
        """
        is_other = connection != self._connection or not is_connected
        if is_other or messages > self._messages:
            self.close()
            self._connection, self._messages = connection, messages
            self._heard.clear()
            self._elsewhere.clear()
            # After the first message, silence is what the monitor judges.
            self._next_look_s = now_s + PATIENCE_S if is_other else math.inf
            self._set(None)
        elif self._look is not None:
            self._judge(self._look, now_s, is_new=is_new)
            if now_s - self._look.since_s > _LOOK_S:
                self.close()
        elif now_s > self._next_look_s:
            self._look = _Look(self._broker, now_s)
            self._next_look_s = now_s + _LOOK_AGAIN_S

    def close(self) -> None:
        """End the second connection."""
        if self._look is not None:
            self._look.close()
            self._look = None

    def _judge(self, look: "_Look", now_s: float, *, is_new: bool) -> None:
        for topic, payload in look.take_heard():
            is_found = topic in self._elsewhere or len(self._elsewhere) == _MAX_TOPICS
            if not (is_found or is_probe(payload) or self._is_subscribed(topic)):
                self._elsewhere += [topic] if self._is_reading(topic, payload) else []
        user, answers = self._broker.username, look.answers()
        unheard = [topic for topic, code in answers.items() if code < _FAILURE and topic not in self._heard]
        denied = [topic for topic, code in answers.items() if code == _NOT_AUTHORISED]
        if self._elsewhere:
            wanted = ", ".join(self._broker.topic_filters)
            self._set(
                f"sensors publish on {', '.join(self._elsewhere)}, but the listener only listens to {wanted}:"
                " set ECC_MQTT_TOPICS in .env to the sensors' topic, or correct the topic in the sensors"
            )
        elif now_s - look.since_s < _ANSWER_S:
            return
        elif unheard:
            self._set(
                f"the broker delivers nothing on {', '.join(unheard)} to user {user!r}: its access rules must"
                " let this user read these topics (and write, so that this can be checked)"
            )
        elif denied and is_new and not self._heard:
            self._set(
                f"nothing has arrived yet, and it can't be checked whether user {user!r} may read"
                f" {', '.join(denied)}, because the broker doesn't let it write there: let it read and write"
                " these topics, or wait for the first reading, which ends this message"
            )
        else:
            self._set(None)

    def _is_subscribed(self, topic: str) -> bool:
        return any(matches(topic_filter, topic) for topic_filter in self._broker.topic_filters)

    def _set(self, fault: str | None) -> None:
        if fault and fault != self.fault:
            _log.error("Connected, but deaf: %s", fault)
        elif self.fault and fault is None:
            _log.info("The listener can hear again")
        self.fault = fault


class _Look:
    """One look: it runs in paho's own thread, and ends in bounded time when it is closed."""

    def __init__(self, broker: Broker, now_s: float) -> None:
        self.since_s = now_s
        self._broker = broker
        self._lock = Lock()
        self._heard: dict[str, bytes] = {}
        self._sent: dict[int, str] = {}
        self._answers: dict[str, int] = {}
        self._is_closed = False
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{broker.client_id[:40]}-look",
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.username_pw_set(broker.username, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.on_connect = self._connected
        client.on_message = self._arrived
        client.on_publish = self._answered
        client.connect_async(broker.host, broker.port, keepalive=60)
        client.loop_start()

    def take_heard(self) -> list[tuple[str, bytes]]:
        """Return the topics on which something has come since the last call, each with its last payload."""
        with self._lock:
            heard, self._heard = self._heard, {}
        return [*heard.items()]

    def answers(self) -> dict[str, int]:
        """Return the broker's reason codes for the probes, by their topics."""
        with self._lock:
            return dict(self._answers)

    def close(self) -> None:
        """End the connection, without waiting for its thread: the broker may be hanging."""
        self._is_closed = True
        self._client.disconnect()

    def _connected(self, client: mqtt.Client, *_: object) -> None:
        if self._is_closed:
            client.disconnect()
            return
        client.subscribe("#", 0)
        with self._lock:
            for topic_filter in self._broker.topic_filters:
                topic = topic_filter.replace("+", PROBE.decode()).replace("#", PROBE.decode())
                # The payload is no secret, and no other program takes it for form fields of a sensor.
                self._sent[client.publish(topic, PROBE, 1).mid] = topic

    def _arrived(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            is_known = message.topic in self._heard
            if not message.retain and (is_known or len(self._heard) < _MAX_HEARD):
                self._heard[message.topic] = bytes(message.payload)

    def _answered(self, _client: mqtt.Client, _userdata: object, mid: int, code: object, *_: object) -> None:
        with self._lock:
            if topic := self._sent.pop(mid, None):
                self._answers[topic] = getattr(code, "value", 0)
