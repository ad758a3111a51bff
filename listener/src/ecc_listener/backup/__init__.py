"""Backups, restore, and recovery of a damaged file.

A database enters and a verified compressed copy leaves, or the other way round; nothing incomplete is ever
left behind. Start with `create`; `schedule` creates one a day, `retention` decides which are kept, `restore`
puts one back into place after `verify`, `recover` reads a damaged file page by page.
"""
