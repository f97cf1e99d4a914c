"""The beat table: the tasks and their intervals, in seconds."""

SCHEDULE = {
    "plan notifications": {"task": "notifications.plan", "schedule": 5.0, "options": {"expires": 5}},
}
