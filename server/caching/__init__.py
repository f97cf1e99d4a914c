"""Results that cost much to compute, kept for a while for all processes."""
