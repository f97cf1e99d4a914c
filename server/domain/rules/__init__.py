"""The decisions: a board, a command and the time in, events out. Nothing here changes a board."""
