"""Secrets: values that components are given as variables, kept for each component.

In the keyring of the operating system where there is one, else in files that only their owner can
read. Only people read and change them (command line, web), never an agent.
"""

from __future__ import annotations

from wassette.secrets.reader import SecretReader
from wassette.secrets.store import ComponentSecrets, Kept, Place, SecretStore

__all__ = ["ComponentSecrets", "Kept", "Place", "SecretReader", "SecretStore"]
