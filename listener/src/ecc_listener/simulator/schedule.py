"""Sensors that take turns: a plan goes in, their messages go out to the fleet when they are due.

The time is passed in. The rooms' time may run faster than the clock.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecc_listener.credentials import Credentials
from ecc_listener.simulator.clients import Account, Fleet
from ecc_listener.simulator.device import Device
from ecc_listener.simulator.misbehaviour import CLASH, LOCKED_OUT, Turn, sendings


@dataclass(frozen=True)
class Plan:
    """What is to be played."""

    sensors: tuple[Device, ...]
    misbehaviours: tuple[str | None, ...]
    every_s: float
    step: timedelta
    count: int | None
    start: datetime


class Simulation:
    """Who sends what, and when: the turns go round, evenly over the interval."""

    def __init__(self, plan: Plan, fleet: Fleet, now_s: float) -> None:
        """Begin now, on the monotonic clock."""
        self._plan = plan
        self._fleet = fleet
        self._start_s = now_s
        self._turns = 0
        self.last: Turn | None = None

    @property
    def due_s(self) -> float:
        """When the next sensor's turn is."""
        return self._start_s + self._turns * self._plan.every_s / len(self._plan.sensors)

    @property
    def is_over(self) -> bool:
        """Whether each sensor has had as many turns as were asked for."""
        return self._plan.count is not None and self._turns >= self._plan.count * len(self._plan.sensors)

    def tick(self, now_s: float) -> None:
        """Let those send whose turn it is; one round at most."""
        for _ in self._plan.sensors:
            if self.is_over or now_s < self.due_s:
                return
            number, index = divmod(self._turns, len(self._plan.sensors))
            at = self._plan.start + number * self._plan.step
            self.last = Turn(self._plan.sensors[index], number, at, self._plan.step)
            self._turns += 1
            for sending in sendings(self.last, self._plan.misbehaviours[index]):
                self._fleet.publish(index, sending.payload, retain=sending.retain)


def accounts(plan: Plan, credentials: Credentials) -> list[Account]:
    """Give each sensor's account: its name is its client id, as long as it behaves."""
    password = credentials.password.get_secret_value()
    given = [Account(sensor.name, credentials.username, password) for sensor in plan.sensors]
    for index, misbehaviour in enumerate(plan.misbehaviours):
        if misbehaviour == CLASH:
            given[index] = given[index]._replace(client_id=given[index - 1].client_id)
        if misbehaviour == LOCKED_OUT:
            given[index] = given[index]._replace(password=password + "?")
    return given
