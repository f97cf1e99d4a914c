"""The beat table: what runs how often, in seconds. Nothing else."""

SCHEDULE = {
    "plan notifications": {"task": "notifications.plan", "schedule": 5.0, "options": {"expires": 5}},
}
