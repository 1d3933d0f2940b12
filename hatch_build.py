"""What happens when a wheel or an sdist is made: the window is built and goes in.

`pip install .` needs no Node: where there is none, one comes as a Python package into the build's
own environment. An sdist has the built window, so a wheel made from it needs none either.
`WASSETTE_SKIP_UI=1` leaves the window as it is, or out.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from types import ModuleType


class WindowHook(BuildHookInterface):  # type: ignore[type-arg,unused-ignore]
    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        builder, root = _builder(self.root), Path(self.root)
        if _skipped() or builder.current(root) or builder.system_node(root):
            return []
        return [str(builder.NODE_PACKAGE)]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        builder, root = _builder(self.root), Path(self.root)
        # An editable installation is a checkout: `scripts/build ui` builds there.
        if version != "editable" and not _skipped() and not builder.current(root):
            self.app.display_info("Building the window")
            builder.build(root)


def _skipped() -> bool:
    return os.environ.get("WASSETTE_SKIP_UI") == "1"


def _builder(root: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "build_ui", Path(root) / "scripts" / "build_ui.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
