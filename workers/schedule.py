"""The beat table: the tasks and their intervals, in seconds. Without beat, messages come a few seconds later."""

SCHEDULE = {
    "wake the sweepers": {"task": "notifications.sweep", "schedule": 5.0, "options": {"expires": 5}},
}
