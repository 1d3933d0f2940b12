"""Who signed a component, and whether it still comes from whom it came from before.

1. `material`: what may be signatures, beside a file or in a registry.
2. `process`, `worker`, `verifier`: whether they are, and whose; with Sigstore's verifier, in a
   process of its own.
3. `checking`: what that means by the settings (`signature_options`): load, say so, or refuse.
4. `pins`: whether the bytes and the signer are those that this source had before.
"""

from __future__ import annotations

from wassette.signatures.checking import SHIPPED, Evidence, Signatures

__all__ = ["SHIPPED", "Evidence", "Signatures"]
