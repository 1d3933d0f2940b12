"""What components may do: policy files, and what they come to for one call.

The order of evaluation, from the file to the sandbox:

1. `store`: the file is read as it is on disk now. Absent or broken is no permissions at all.
2. `nodes`, `parse`: text → `Policy`. One wrong rule refuses the file, naming the line.
3. `storage`: rules for one directory, and for those above it, add up (allow adds). Then each is
   dropped, with a note, if it is finer than a directory, write-only, missing, under Wassette's
   own files, touched by a deny rule (deny beats allow), or reached by a link that the component
   could turn elsewhere. What remains are the mounts.
4. `grants`: the allowed variables that are there, and nothing else of the environment; limits,
   with the defaults where the policy is silent. No network yet.

Nothing is ever widened to make it enforceable. `document` changes a policy's text in place.
"""

from __future__ import annotations

from wassette.policy.document import PolicyDocument
from wassette.policy.grants import (
    DEFAULT_MEMORY,
    DEFAULT_TIMEOUT,
    Grants,
    ResolvedLimits,
    resolve,
)
from wassette.policy.model import (
    Access,
    EnvironmentRule,
    Limits,
    NetworkRule,
    Policy,
    StorageRule,
)
from wassette.policy.parse import parse_policy
from wassette.policy.quantities import parse_cpu, parse_memory, parse_timeout
from wassette.policy.storage import Mount, check_enforceable_storage
from wassette.policy.store import PolicyState, PolicyStatus, PolicyStore

__all__ = [
    "DEFAULT_MEMORY",
    "DEFAULT_TIMEOUT",
    "Access",
    "EnvironmentRule",
    "Grants",
    "Limits",
    "Mount",
    "NetworkRule",
    "Policy",
    "PolicyDocument",
    "PolicyState",
    "PolicyStatus",
    "PolicyStore",
    "ResolvedLimits",
    "StorageRule",
    "check_enforceable_storage",
    "parse_cpu",
    "parse_memory",
    "parse_policy",
    "parse_timeout",
    "resolve",
]
