"""Notifications: planning, texts, sending and channels. The server and the Celery workers both use this package."""
