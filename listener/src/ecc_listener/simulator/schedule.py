"""When each sensor sends: the sensors of a plan take turns, evenly spread over the interval.

The time is passed in. The rooms' time may run faster than the clock.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecc_listener.credentials import Credentials
from ecc_listener.simulator.clients import Account, SensorClients
from ecc_listener.simulator.device import Device
from ecc_listener.simulator.misbehaviour import CLASH, LOCKED_OUT, Turn, messages_of


@dataclass(frozen=True)
class Plan:
    """What to simulate; each sensor sends `count` times, or without end.

    From one reading of a sensor to the next, `every_s` pass on the clock and `step` in the rooms.
    """

    sensors: tuple[Device, ...]
    misbehaviours: tuple[str | None, ...]
    every_s: float
    step: timedelta
    count: int | None
    start: datetime


class Simulation:
    """Publishes the messages of each sensor when its turn comes."""

    def __init__(self, plan: Plan, clients: SensorClients, now_s: float) -> None:
        """Start at a time of the monotonic clock."""
        self._plan = plan
        self._clients = clients
        self._start_s = now_s
        self._turns = 0
        self.last: Turn | None = None

    @property
    def due_s(self) -> float:
        """When the next turn is due."""
        return self._start_s + self._turns * self._plan.every_s / len(self._plan.sensors)

    @property
    def is_over(self) -> bool:
        """Whether each sensor has sent as often as the plan says."""
        return self._plan.count is not None and self._turns >= self._plan.count * len(self._plan.sensors)

    def tick(self, now_s: float) -> None:
        """Take the turns that are due, one of each sensor at most."""
        for _ in self._plan.sensors:
            if self.is_over or now_s < self.due_s:
                return
            number, index = divmod(self._turns, len(self._plan.sensors))
            at = self._plan.start + number * self._plan.step
            self.last = Turn(self._plan.sensors[index], number, at, self._plan.step)
            self._turns += 1
            for message in messages_of(self.last, self._plan.misbehaviours[index]):
                self._clients.publish(index, message.payload, retain=message.retain)


def create_accounts(plan: Plan, credentials: Credentials) -> list[Account]:
    """Return the account of each sensor; its client id is its name unless it misbehaves."""
    password = credentials.password.get_secret_value()
    accounts = [Account(sensor.name, credentials.username, password) for sensor in plan.sensors]
    for index, misbehaviour in enumerate(plan.misbehaviours):
        if misbehaviour == CLASH:
            accounts[index] = accounts[index]._replace(client_id=accounts[index - 1].client_id)
        if misbehaviour == LOCKED_OUT:
            accounts[index] = accounts[index]._replace(password=password + "?")
    return accounts
