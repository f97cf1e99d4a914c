"""Celery's tasks: thin, each hands over to a module that knows nothing of Celery."""
