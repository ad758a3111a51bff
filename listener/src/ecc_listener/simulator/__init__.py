"""Simulated sensors in simulated rooms, well-behaved or not.

A plan enters; MQTT messages leave. The same seed always gives the same readings.
Start with `schedule`. `climate` models the rooms, `device` the sensors, `misbehaviour` what may go wrong, and
`clients` holds the connections to the broker. All but `clients` and `command` are pure.
"""
