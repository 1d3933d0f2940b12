"""What makes packages is a folder of scripts: on the path for its tests, as it is for them."""

import sys
from pathlib import Path

_HERE = str(Path(__file__).parents[3] / "packaging")
if _HERE not in sys.path:
    sys.path.append(_HERE)
