"""The page: every room at a glance, history, events, the state of the system, and all of it as JSON.

A request enters and a page or JSON leaves::

    browser -> security, auth -> a view -> reader, snapshot (read-only, bounded) -> template or JSON

A view is a module with `ROUTES`; start with `app`, which puts them together. The page reads the database
files and the health file, so it also works while the listener is stopped.
"""
