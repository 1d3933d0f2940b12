"""`python -m wassette.signatures.worker`: one question on stdin, one answer on stdout, as JSON.

{"component": hex, "manifests": [hex], "keys": [pem], "trusted_root": path or null,
 "materials": [{"kind": "bundle" | "simple", "data": base64, "annotations": {…}}]}
→ {"results": [{"signer": {…}, "signed_at": seconds} | {"problem": text}]}
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """What is found about each of the materials, in their order."""
    from .verifier import Checker, Refused, Subjects, load_keys

    try:
        keys = load_keys(question["keys"])
    except Refused as error:
        return {"results": [{"problem": str(error)} for _ in question["materials"]]}
    subjects = Subjects(question["component"], tuple(question["manifests"]))
    checker = Checker(subjects, keys, question["trusted_root"])
    return {"results": [_one(checker, material) for material in question["materials"]]}


def _one(checker: Any, material: dict[str, Any]) -> dict[str, Any]:
    try:
        data = base64.b64decode(material["data"])
        if material["kind"] == "simple":
            found = checker.simple(data, material["annotations"])
        else:
            found = checker.bundle(data)
    except (Exception, RecursionError) as error:  # noqa: BLE001  (a stranger's data: always a no)
        text = str(error) or type(error).__name__
        return {"problem": text.partition("\n")[0][:300]}
    signer = {"identity": found.identity, "issuer": found.issuer, "key": found.key}
    return {"signer": signer, "signed_at": found.signed_at}


def main() -> None:
    """Answer, and end."""
    out = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints is no answer
    json.dump(answer(json.load(sys.stdin)), out)
    out.flush()


if __name__ == "__main__":
    main()
