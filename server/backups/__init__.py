"""Backups: encrypted files of the whole database, each restored and verified before it counts."""
