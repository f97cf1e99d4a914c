"""Webhooks: the events of a clinic for other systems, as Standard Webhooks."""
