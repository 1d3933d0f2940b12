"""What a packaged program runs: which of the two it is, its name says."""

import sys
from pathlib import Path


def main() -> int:
    if Path(sys.executable).stem == "wassette-desktop" and sys.argv[1:2] != ["_internal"]:
        from wassette_desktop.run import main as desktop

        return int(desktop())
    from wassette.__main__ import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
