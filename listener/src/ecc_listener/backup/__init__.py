"""Backups, restore, and recovery of a damaged file.

A database enters; a verified compressed copy leaves, or the other way round. Nothing is ever half there.
Start with `create`; `retention` says which copies stay, `restore` puts one back, `recover` reads a
damaged file page by page.
"""
