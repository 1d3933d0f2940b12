"""What a packaged app weighs, and how soon it is there: `scripts/build bundle tar deb` makes it.

    .venv/bin/python benchmarks/frozen.py [--quick]

The same starts as in startup.py, of the program in `build/bundle`, beside those from the sources.
The first start after it was built, when nothing of it is in memory, is not what is measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]
BUNDLE = ROOT / "build/bundle/wassette"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    program = BUNDLE / "wassette"
    if not program.is_file():
        sys.exit("There is no bundle: scripts/build bundle makes it")
    from benchmarks import startup

    sizes()
    for name, command in (("the bundle", (str(program),)), ("sources", startup.FROM_SOURCES)):
        print(f"\n{name}:", end="")
        with tempfile.TemporaryDirectory() as folder:
            home = startup.Home(Path(folder), command)
            try:
                home.load_component()
                startup.starts(home, 8 if quick else 40, 2 if quick else 6)
            finally:
                home.stop()


def sizes() -> None:
    files = [path for path in BUNDLE.rglob("*") if path.is_file() and not path.is_symlink()]
    parts = {
        path: sum(one.stat().st_size for one in files if path in one.parents)
        for path in (BUNDLE, *(BUNDLE / "_internal").iterdir())
        if path.is_dir()
    }
    print(f"The bundle: {len(files)} files. Its largest parts, MB:")
    for path, size in sorted(parts.items(), key=lambda one: -one[1])[:8]:
        print(f"  {path.relative_to(BUNDLE.parent)!s:44} {size / 1e6:8.1f}")
    for path in sorted((ROOT / "dist").glob("*")):
        print(f"  dist/{path.name:39} {path.stat().st_size / 1e6:8.1f}")


if __name__ == "__main__":
    main()
