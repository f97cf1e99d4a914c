"""The channels to patients. A channel is one file here and one line in `workers.app`."""
