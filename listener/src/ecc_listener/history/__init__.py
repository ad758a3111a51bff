"""Queries over the live file and its archives; hourly and daily rollups; export.

A sensor and a time range enter; readings or rollups leave. Nothing here changes a reading.
Start with `query`; `rollup_writer` keeps the file of hours and days up to date, `export` writes readings as
CSV, JSON lines or Parquet.
"""
