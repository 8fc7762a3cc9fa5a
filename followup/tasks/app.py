"""The Celery application: JSON only, acknowledged late, a publish that fails fast, one Runtime a process."""

import os
import threading
from typing import Any

from celery import Celery

from followup.runtime import Runtime, build_runtime
from followup.settings import settings_from_environment
from followup.tasks.schedule import Queue, beat_table

#: Seconds that a web request may lose on a broker that is gone; the rows wait for a tick, or for `sweep`.
_CONNECT_SECONDS = 0.3
_SOCKET_SECONDS = 5.0

celery_app = Celery("followup", set_as_current=False)


def _configuration() -> dict[str, Any]:
    """Return Celery's settings; read when Celery first needs them, so that an import needs no environment."""
    settings = settings_from_environment()
    return {
        "broker_url": settings.redis_url,
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": {
            "visibility_timeout": 120,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": _CONNECT_SECONDS,
            "socket_timeout": _SOCKET_SECONDS,
            "retry_on_timeout": False,
            "max_retries": 0,
        },
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "task_time_limit": 60,
        "worker_soft_shutdown_timeout": 20,
        "worker_hijack_root_logger": False,
        "task_default_queue": Queue.UPKEEP.value,
        "task_publish_retry": False,
        "enable_utc": True,
        "timezone": "UTC",
        "beat_schedule": beat_table(settings.tick_seconds),
        # In memory: the table is written in code, and a missed tick is made good by the next.
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_max_loop_interval": 1,
    }


celery_app.add_defaults(_configuration)

_houses: dict[int, Runtime] = {}
_building = threading.Lock()


def runtime() -> Runtime:
    """Return this process's Runtime, built at its first task: prefork, threads and solo alike."""
    with _building:
        if os.getpid() not in _houses:
            _houses.clear()  # a parent's connections must not be used in a child
            _houses[os.getpid()] = build_runtime()
        return _houses[os.getpid()]
