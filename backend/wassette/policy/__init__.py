"""What components may do: policy files, and what they come to for one call.

The order of evaluation, from the file to the sandbox:

1. `store`: the file is read as it is on disk now. Absent or broken is no permissions at all.
2. `nodes`, `parse`: text → `Policy`. One wrong rule refuses the file, naming the line.
3. `storage`: where the allowed directories are now, which become the mounts, and rules about the
   paths in them (`files`), of which the most specific one decides. `combine` makes them so that
   allow adds up; deny rules, and those for Wassette's own files, beat all of them.
4. `grants`: the allowed variables that are there, and nothing else of the environment, as values
   or as placeholders (`environment`, `injection`); limits, with the defaults where the policy is
   silent.
5. `network`: what may be asked for, and where it may lead. Decided for each request, later.

`verdict` answers for people what would be decided, and why, from the same functions.

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
from wassette.policy.injection import BoundSecret, Injection
from wassette.policy.model import (
    Access,
    EnvironmentRule,
    Limits,
    NetworkRule,
    Policy,
    StorageRule,
    Verdict,
)
from wassette.policy.parse import parse_policy
from wassette.policy.quantities import parse_cpu, parse_memory, parse_timeout
from wassette.policy.storage import (
    Mount,
    Storage,
    check_bindable,
    check_enforceable_storage,
    resolve_storage,
)
from wassette.policy.store import PolicyState, PolicyStatus, PolicyStore

__all__ = [
    "DEFAULT_MEMORY",
    "DEFAULT_TIMEOUT",
    "Access",
    "BoundSecret",
    "EnvironmentRule",
    "Grants",
    "Injection",
    "Limits",
    "Mount",
    "NetworkRule",
    "Policy",
    "PolicyDocument",
    "PolicyState",
    "PolicyStatus",
    "PolicyStore",
    "ResolvedLimits",
    "Storage",
    "StorageRule",
    "Verdict",
    "check_bindable",
    "check_enforceable_storage",
    "parse_cpu",
    "parse_memory",
    "parse_policy",
    "parse_timeout",
    "resolve",
    "resolve_storage",
]
