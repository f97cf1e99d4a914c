"""The Celery workers: tasks that run by the clock, outside requests. Only this package imports Celery."""
