"""What a component may do: in plain words, as YAML, and why."""

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath

from wassette.errors import PolicyError
from wassette.policy import Access
from wassette.policy.injection import Injection
from wassette.policy.model import NetworkRule
from wassette.policy.verdict import Kind
from wassette.window import problems, views, words
from wassette.window.models import (
    EnvironmentGrant,
    ExplainRequest,
    Explanation,
    Grant,
    MemoryGrant,
    NetworkGrant,
    Policy,
    PolicyChange,
    Revocation,
    RootBinding,
    StorageGrant,
)
from wassette.window.state import Window

from .base import ComponentId, TheWindow

router = APIRouter(prefix="/api/components/{component_id}", tags=["policy"])


async def _shown(window: Window, component_id: str) -> Policy:
    unused = await window.host.unused_grants(component_id)
    return await asyncio.to_thread(views.policy, window.host, component_id, unused)


@router.get("/policy")
async def get_policy(window: TheWindow, component_id: ComponentId) -> Policy:
    """The policy's text with its `version`, and its permissions in words."""
    return await _shown(window, component_id)


@router.put("/policy")
async def put_policy(window: TheWindow, component_id: ComponentId, body: PolicyChange) -> Policy:
    """409 if `version` is not that of the text that is there, 422 with `where` if it is wrong."""
    await window.host.write_policy(component_id, body.yaml, body.version)
    return await _shown(window, component_id)


@router.post("/permissions")
async def grant_permission(window: TheWindow, component_id: ComponentId, body: Grant) -> Policy:
    """Add one permission to the policy."""
    host = window.host
    match body:
        case StorageGrant():
            await host.grant_storage(component_id, body.uri, list(dict.fromkeys(body.access)))
        case NetworkGrant():
            await host.grant_network_rule(component_id, _network(body))
        case EnvironmentGrant() if body.hosts:
            await host.bind_environment(component_id, Injection.checked(body.key, body.hosts))
        case EnvironmentGrant():
            await host.grant_environment(component_id, body.key)
        case MemoryGrant():
            await host.grant_memory(component_id, body.limit)
    return await _shown(window, component_id)


def _network(body: NetworkGrant) -> NetworkRule:
    from wassette.policy import rules

    methods = tuple(dict.fromkeys(rules.check_method(method) for method in body.methods))
    if "/" in body.host and "://" not in body.host:
        try:
            return NetworkRule(cidr=rules.check_cidr(body.host), methods=methods)
        except PolicyError:
            pass  # a host with a path
    return NetworkRule(host=rules.check_host(body.host), methods=methods)


@router.delete("/permissions")
async def revoke_permission(
    window: TheWindow, component_id: ComponentId, body: Revocation
) -> Policy:
    """Take one permission away, as the policy has it; 404 if it is not there (any more)."""
    host = window.host
    match body.kind:
        case "storage":
            gone = await host.revoke_storage(component_id, body.rule)
        case "network":
            gone = await host.revoke_network(component_id, body.rule)
        case "environment":
            gone = await host.revoke_environment(component_id, body.rule)
    if not gone:
        raise problems.Refusal(404, "There is no such permission (any more)")
    return await _shown(window, component_id)


@router.post("/explain")
async def explain_access(
    window: TheWindow, component_id: ComponentId, body: ExplainRequest
) -> Explanation:
    """What would be decided, and why."""
    host = window.host
    await host.read_secrets(component_id)

    def explain() -> Explanation:
        verdict = host.explain(
            component_id,
            Kind(body.kind),
            body.target,
            access=Access(body.access),
            method=body.method.upper(),
        )
        return Explanation(
            allowed=verdict.allowed,
            reason=words.clean(verdict.reason),
            rule=words.clean(verdict.rule) if verdict.rule is not None else None,
            line=views.line_of(host, component_id, verdict.rule),
        )

    return await asyncio.to_thread(explain)


@router.put("/roots/{name}")
async def bind_root(
    window: TheWindow,
    component_id: ComponentId,
    name: Annotated[str, InPath(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")],
    body: RootBinding,
) -> Policy:
    """Have a named root (`fs://workspace/…`) be a directory."""
    if body.directory is None:
        await window.host.unbind_root(component_id, name)
    else:
        await window.host.bind_root(component_id, name, Path(body.directory))
    return await _shown(window, component_id)
