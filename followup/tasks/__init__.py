"""The bell between processes: thin Celery tasks. Every piece of work is a row; a task only wakes somebody up.

`celery -A followup.tasks worker` and `celery -A followup.tasks beat` find the application here.
"""

from followup.tasks.app import celery_app as celery

__all__ = ["celery"]
