"""What is wrong: rules over readings, sensors and the system itself. Pure, but for `monitor`.

Arrivals, limits and the time enter; problems that began or ended leave.
Start with `rules` (one sensor's readings), `sensors` (silence) and `system` (disk, backup, mail).
`monitor` feeds them from the running listener and writes what they find.
"""
