"""Simulated sensors in simulated rooms, well-behaved or not.

A plan enters; MQTT messages leave. The same seed gives the same readings.
Start with `schedule`; `climate` is the rooms, `device` the sensors, `clients` the connections to the broker.
"""
