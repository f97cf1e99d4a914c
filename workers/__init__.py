"""What happens by the clock and outside the request: notifications. Only this package knows Celery."""
