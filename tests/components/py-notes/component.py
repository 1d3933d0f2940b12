import os
from pathlib import Path

import wit_world
from componentize_py_types import Err


class WitWorld(wit_world.WitWorld):
    def read_note(self, path: str) -> str:
        try:
            return Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise Err(str(error)) from error

    def write_note(self, path: str, text: str) -> None:
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            raise Err(str(error)) from error

    def list_notes(self, dir: str) -> list[str]:
        try:
            return sorted(os.listdir(dir))
        except OSError as error:
            raise Err(str(error)) from error

    def summarize(self, path: str, text: str) -> wit_world.Summary:
        lines = text.splitlines()
        return wit_world.Summary(path, len(text), len(lines), lines[0] if lines else None)

    def get_env(self, name: str) -> str | None:
        return os.environ.get(name)

    def sum(self, numbers: list[int]) -> int:
        return sum(numbers)
