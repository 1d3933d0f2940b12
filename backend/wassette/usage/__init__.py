"""What components use of what they were granted.

`model` has what a use is, `match` which rules it used, `narrow` the smallest policy that would
have been enough. `store` keeps it, and `tracker` is what a host has of all this: it never holds up
a call.
"""

from .model import FileUse, How, NetworkUse, Observed, UnusedGrant
from .tracker import Usage

__all__ = ["FileUse", "How", "NetworkUse", "Observed", "UnusedGrant", "Usage"]
