"""The class has a method for each function of the world in wit/world.wit, in snake_case.

Raise `Err` with what the `err` is to be. Options are None or the value; records are classes in
`wit_world`. Files are read with `open` and `pathlib` as usual.
"""

import wit_world
from componentize_py_types import Err


class WitWorld(wit_world.WitWorld):
    def greet(self, who: str) -> str:
        if not who:
            raise Err("nobody to greet")
        return f"Hello, {who}!"

    def count_words(self, text: str) -> int:
        return len(text.split())
