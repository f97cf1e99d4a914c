"""The tables, the log, and every line of SQL for writing."""
