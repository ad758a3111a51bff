"""The weekly digest: what it says, its chart, and when it is sent.

A week of rollups and notices enters; a message with a chart leaves.
Start with `content`; `schedule` decides when, `process` gathers the data in a process of its own.
"""
