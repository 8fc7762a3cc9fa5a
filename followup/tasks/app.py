"""The Celery application: JSON only, acknowledged late, a publish that fails fast, one Runtime a process.

Nothing is asked of the environment on import: settings are read when a broker is first needed.
"""

import os
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.beat import Scheduler
from celery.signals import celeryd_init, setup_logging
from kombu import Connection

from followup import logs
from followup.settings import settings_from_environment
from followup.tasks.schedule import ROUTES, Queue, beat_table

if TYPE_CHECKING:
    from followup.runtime import Runtime

#: Where the tasks are. Only a worker imports them: beat knows names, and stays half as large.
TASK_MODULES = tuple(f"followup.tasks.{door}" for door in ("alerts", "inbound", "outbound", "upkeep"))


class Bell(Celery):
    """A Celery application that finds its broker in our settings."""

    def connection_for_read(self, url: str | None = None, **options: Any) -> Connection:
        """Connect to consume."""
        return super().connection_for_read(url or settings_from_environment().redis_url, **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Connection:
        """Connect to publish."""
        return super().connection_for_write(url or settings_from_environment().redis_url, **options)


class TableScheduler(Scheduler):
    """Beat's table in memory: it is written in code, and what one tick misses the next makes good."""

    def setup_schedule(self) -> None:
        """Take the table, at the pace that the settings name."""
        table = beat_table(settings_from_environment().tick_seconds)
        self.merge_inplace(table)  # type: ignore[arg-type]  # it makes entries of plain mappings itself


celery_app = Bell("followup", set_as_current=False)
celery_app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 120,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        # What a web request may lose on a broker that is gone: the rows wait for a tick, or for `sweep`.
        "socket_connect_timeout": 0.3,
        "socket_timeout": 5.0,
        "max_retries": 0,
    },
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_time_limit=60,
    task_routes={name: {"queue": queue.value} for name, queue in ROUTES.items()},
    task_default_queue=Queue.UPKEEP.value,
    task_publish_retry=False,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=20,
    enable_utc=True,
    timezone="UTC",
    beat_scheduler="followup.tasks.app:TableScheduler",
    beat_max_loop_interval=1,
)

_houses: "dict[int, Runtime]" = {}
_building = threading.Lock()


@celeryd_init.connect
def know_the_tasks(**_: Any) -> None:
    """Import the tasks when a worker starts."""
    for module in TASK_MODULES:
        import_module(module)


@setup_logging.connect
def write_our_logs(**_: Any) -> None:
    """Log as the rest of the service does; Celery then leaves the root logger alone."""
    logs.configure(settings_from_environment().log_level)


def runtime() -> "Runtime":
    """Return this process's Runtime, built at its first task: prefork, threads and solo alike."""
    from followup.runtime import build_runtime  # a worker's part alone; see TASK_MODULES

    with _building:
        if os.getpid() not in _houses:
            _houses.clear()  # a parent's connections must not be used in a child
            _houses[os.getpid()] = build_runtime()
        return _houses[os.getpid()]
