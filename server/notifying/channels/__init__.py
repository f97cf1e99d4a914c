"""The channels that reach a patient. A channel is one file here and one line in `workers.app`."""
