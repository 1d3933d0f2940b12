"""The pages make visible what `errors.visible` does: every code point is compared."""

from __future__ import annotations

import json
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest

from wassette.errors import visible

ROOT = Path(__file__).parents[3]
NODE = shutil.which("node", path=str(ROOT / "node_modules" / "node" / "bin"))
PROGRAM = """
const { visible } = await import(process.argv[1])
const ranges = []
for (let code = 0; code < 0x110000; code += 1) {
  const char = String.fromCodePoint(code)
  if (visible(char) === char) continue
  const last = ranges.at(-1)
  if (last && last[1] === code - 1) last[1] = code
  else ranges.push([code, code])
}
console.log(JSON.stringify({ ranges, cut: visible('😀😀😀', 2), lone: visible('x\\ud800') }))
"""


@pytest.mark.skipif(NODE is None, reason="Node is not installed; run scripts/test")
def test_the_same_characters_are_shown_as_code() -> None:
    assert NODE is not None
    module = (ROOT / "frontend" / "src" / "lib" / "visible.ts").as_uri()
    answer = subprocess.run(
        [NODE, "--no-warnings", "--input-type=module", "-e", PROGRAM, module],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    told = json.loads(answer)
    theirs = {code for first, last in told["ranges"] for code in range(first, last + 1)}
    ours = {code for code in range(0x110000) if visible(chr(code)) != chr(code)}
    assert theirs - ours == set()
    # A browser may know characters that this Python's Unicode does not know yet: letters that are
    # drawn. Nothing else may differ.
    assert {unicodedata.category(chr(code)) for code in ours - theirs} <= {"Cn"}
    assert told["cut"] == visible("😀😀😀", 2)
    assert told["lone"] == visible("x\ud800")
