"""Figures of past days, computed from the closed intervals of entries."""
