"""Queries over the live file and its archives; hourly and daily rollups; export.

A sensor and a time range enter; readings or rollups leave. All of it only reads the readings.
Start with `query`; `rollup_writer` keeps the file of hours and days up to date, `export` writes CSV.
"""
