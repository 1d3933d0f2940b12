"""The parts of a host, made in the order in which they need each other."""

from __future__ import annotations

import hashlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from wassette.asking import Asking
from wassette.code import CodeCache
from wassette.components.store import ComponentStore
from wassette.config import retention
from wassette.errors import ConfigError
from wassette.fetching import Fetching
from wassette.learning import Learning
from wassette.outgoing import WayOut
from wassette.paths import paths
from wassette.policy import PolicyStore
from wassette.presence import Presence
from wassette.provenance import Provenances
from wassette.recording import Recorder
from wassette.secrets import Place, SecretStore
from wassette.session import Session
from wassette.usage import Usage
from wassette.workers.compiler import Compiler
from wassette.workers.launcher import default_launcher
from wassette.workers.pool import Pool

from .arriving import Arriving
from .background import Background
from .calling import Calling
from .changes import Changes
from .examining import Examining
from .granting import Granting
from .inventory import Inventory
from .loading import Loading
from .permissions import Permissions
from .protected import Protected
from .questions import Questions
from .routing import Routing
from .secrets import Secrets
from .surroundings import surroundings
from .switches import Switches
from .using import Using
from .watching import Watching
from .workers import Workers

if TYPE_CHECKING:
    from wassette.activity_options import Retention
    from wassette.config import Settings

log = logging.getLogger(__name__)


class Parts:
    """Of one host."""

    def __init__(self, settings: Settings) -> None:
        self.session = Session.of(settings)
        """Of whoever has none of its own: the command line, a host of one client."""
        directory = settings.component_dir
        # What there is, and where it is kept.
        self.store = ComponentStore(directory)
        self.policies = PolicyStore(directory)
        self.fetching = Fetching(settings)
        self.presence = Presence()
        secrets = SecretStore(settings.secrets_dir or paths().secrets, Place(settings.secrets))
        self.usage = Usage(paths().usage, directory)
        self.recorder = Recorder(
            paths().activity, secrets.values_read, partial(_retention, settings)
        )
        self.provenances = Provenances(settings, self.store)
        launcher = default_launcher()
        self.code = CodeCache(self.store, Compiler(launcher, settings.walls))
        self.way_out = WayOut(settings)
        self.pool = Pool(launcher=launcher, doors=self.way_out.door)
        # Which components there are, and what they may do.
        self.background = Background()
        self.changes = Changes()
        self.switches = Switches(self.store, self.recorder, self.changes)
        self.protected = Protected(directory, secrets.directory)
        examining = Examining(self.store, self.provenances, self.code)
        self.inventory = Inventory(self.store, self.provenances, examining, self.changes)
        self.asking = Asking(
            directory,
            settings.approval_timeout,
            surroundings(self.store, self.policies, secrets, self.inventory, self.protected),
            self.recorder,
        )
        self.secrets = Secrets(secrets)
        self.permissions = Permissions(
            self.policies,
            paths().roots / hashlib.sha256(str(directory).encode()).hexdigest()[:12],
            session=self.session,
            inventory=self.inventory,
            protected=self.protected,
            secrets=self.secrets,
            asking=self.asking,
        )
        self.granting = Granting(
            self.store,
            self.policies,
            provenances=self.provenances,
            inventory=self.inventory,
            protected=self.protected,
            asking=self.asking,
            recorder=self.recorder,
            changes=self.changes,
        )
        # What is done with them.
        self.using = Using(self.usage, self.policies, self.inventory)
        self.learning = Learning(
            self.store, self.policies, self.usage, self.recorder, self.permissions.storage
        )
        self.workers = Workers(
            self.pool,
            settings.walls,
            store=self.store,
            code=self.code,
            inventory=self.inventory,
            permissions=self.permissions,
            background=self.background,
            changes=self.changes,
        )
        questions = Questions(self.permissions, self.asking)
        self.routing = Routing(self.permissions, questions)
        self.calling = Calling(
            self.session,
            switches=self.switches,
            inventory=self.inventory,
            workers=self.workers,
            routing=self.routing,
            questions=questions,
            using=self.using,
            asking=self.asking,
            presence=self.presence,
            recorder=self.recorder,
            patience=settings.approval_wait,
        )
        self.arriving = Arriving(
            self.store,
            self.policies,
            fetching=self.fetching,
            provenances=self.provenances,
            examining=examining,
            inventory=self.inventory,
        )
        self.loading = Loading(
            self.store,
            self.policies,
            arriving=self.arriving,
            inventory=self.inventory,
            granting=self.granting,
            workers=self.workers,
            provenances=self.provenances,
            asking=self.asking,
            usage=self.usage,
            recorder=self.recorder,
            changes=self.changes,
        )
        self.watching = Watching(
            self.store,
            self.policies,
            inventory=self.inventory,
            permissions=self.permissions,
            workers=self.workers,
            background=self.background,
            changes=self.changes,
        )

    async def close(self) -> None:
        await self.asking.close()
        await self.background.close()
        await self.pool.close()
        await self.way_out.close()
        await self.usage.close()
        await self.recorder.close()


def _retention(settings: Settings) -> Retention:
    """How much of the record is kept: as configured now, or as it was when the host started."""
    try:
        return retention()
    except ConfigError as error:
        log.warning("the activity record is kept as before: %s", error)
        return settings.retention
