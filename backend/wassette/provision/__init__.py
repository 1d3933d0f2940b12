"""Headless provisioning: the components and permissions that a manifest declares.

A manifest is a file that a person writes, like a policy, and grants what it says. `manifest` reads
it and finds everything that is wrong with it before anything is done; `provisioning` then does it,
one component after the other, and can be asked how far it is.
"""

from __future__ import annotations

from wassette.provision.manifest import Declared, Manifest, Retry, read_manifest
from wassette.provision.provisioning import Provisioned, Provisioning, State

__all__ = [
    "Declared",
    "Manifest",
    "Provisioned",
    "Provisioning",
    "Retry",
    "State",
    "read_manifest",
]
