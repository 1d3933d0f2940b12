"""`python -m wassette.window.schema`: writes frontend/openapi.json, which the page's client is made
from."""

import json
import sys
from pathlib import Path

from .app import create_app, openapi

FILE = Path(__file__).parents[3] / "frontend" / "openapi.json"


def text() -> str:
    """The schema, as the file has it."""
    return json.dumps(openapi(create_app()), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{FILE}\n")
