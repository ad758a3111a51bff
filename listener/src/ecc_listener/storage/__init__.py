"""The SQLite file: its schema, the commit of a burst, rejected messages, archives.

A `Burst` enters; rows leave. One process writes (`lock`), all others read with `connection.connect_readonly`.
Start with `store`, which owns the transaction; `quarantine` keeps rejected messages, `archive` renames a full
file, `corruption` sets a damaged one aside.
"""
