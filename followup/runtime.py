"""The house: the one place where settings, store, voice, clock and knowledge are joined."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from followup.core.clock import Clock, SystemClock
from followup.core.vocabulary import Channel
from followup.providers.ports import Sender
from followup.providers.registry import build_senders
from followup.services.knowledge import Knowledge, load_knowledge
from followup.settings import Environment, Settings, settings_from_environment
from followup.store.demo_clock import DemoClock
from followup.store.session import Sessions, make_engine, session_factory


@dataclass(frozen=True)
class Runtime:
    """Everything that a request, a task or a command works with; built once per process."""

    settings: Settings
    engine: Engine
    sessions: Sessions
    clock: Clock
    senders: Mapping[Channel, Sender]
    knowledge: Knowledge

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a unit of work: committed when the block ends well, rolled back when it raises."""
        with self.sessions.begin() as session:
            yield session


def build_runtime(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    senders: Mapping[Channel, Sender] | None = None,
) -> Runtime:
    """Join the parts; SettingsError or ContentError if the installation may not start."""
    settings = settings or settings_from_environment()
    engine = make_engine(settings.database_url)
    return Runtime(
        settings=settings,
        engine=engine,
        sessions=session_factory(engine),
        clock=clock or _clock(settings, engine),
        senders=senders if senders is not None else build_senders(settings),
        knowledge=load_knowledge(),
    )


def _clock(settings: Settings, engine: Engine) -> Clock:
    return DemoClock(engine) if settings.environment is Environment.DEMO else SystemClock()
