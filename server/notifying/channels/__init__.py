"""The channels to patients. A channel is one file here and one row in `kinds`."""
