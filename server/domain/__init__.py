"""The shared home of the rules: standard library only, no I/O, the clock an argument."""
