"""What is wrong: rules over sensors, their readings and the system itself.

Readings, limits and the time enter; problems that begin or end leave, and become notices.
Start with `rules` (one sensor), `sensor_monitor` (silence) and `system` (disk, backup, mail), which are pure.
`monitor` feeds them in the running listener and stores what they find; `environment`, `limits_file` and
`state` read what they need.
"""
