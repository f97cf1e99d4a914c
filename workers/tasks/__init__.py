"""The Celery tasks. Each calls a module that knows nothing of Celery."""
