"""The routes, each module one part of the window; all of them below the guard (`app`)."""

from . import (
    activity,
    approvals,
    calls,
    catalog,
    clients,
    components,
    loads,
    policy,
    session,
    settings,
)
from . import secrets as secrets_

ROUTERS = (
    session.router,
    components.router,
    loads.router,
    calls.router,
    policy.router,
    secrets_.router,
    approvals.router,
    activity.router,
    clients.router,
    settings.router,
    catalog.router,
)
