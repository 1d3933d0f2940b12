"""With GNOME Keyring over a D-Bus session of its own, where they are installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not (shutil.which("gnome-keyring-daemon") and shutil.which("dbus-run-session")),
    reason="needs gnome-keyring-daemon and dbus-run-session",
)

SCRIPT = """
import json, subprocess, sys
from pathlib import Path
from wassette.errors import SecretError
from wassette.secrets import SecretStore

daemon = subprocess.Popen(
    ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)
try:
    daemon.stdin.write(b"password")
    daemon.stdin.close()
    import secretstorage, time

    end = time.monotonic() + 30
    while True:
        try:
            bus = secretstorage.dbus_init()
            collection = secretstorage.get_default_collection(bus)
            if not collection.is_locked():
                break
        except Exception:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)
    folder = Path(sys.argv[1])
    store = SecretStore(folder)
    long, odd = "x" * 60_000, "\\u00fc \\U0001f600\\nline"
    found = {"kept": store.set("one", {"A": "value a", "LONG": long, "ODD": odd}).place}
    SecretStore(folder).set("two", {"A": "of two"})
    read = SecretStore(folder).read("one").values
    found["read"] = read == {"A": "value a", "LONG": long, "ODD": odd}
    found["deleted"] = store.delete("one", ["LONG"])
    found["left"] = sorted(SecretStore(folder).read("one").values)
    found["files"] = any("value a" in file.read_text() for file in folder.iterdir())
    collection.lock()
    locked = SecretStore(folder).read("one")
    found["locked"] = [locked.values, sorted(locked.unread.items())]
    try:
        store.set("one", {"B": "b"})
    except SecretError as error:
        found["set"] = str(error)
    print(json.dumps(found))
finally:
    daemon.kill()
    daemon.wait()
"""


def test_with_gnome_keyring(home: Path) -> None:
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    environment = {**os.environ}
    environment.pop("PYTHON_KEYRING_BACKEND")
    environment.pop("DISPLAY", None)  # so that it cannot ask anybody
    done = subprocess.run(
        ["dbus-run-session", "--", sys.executable, "-c", SCRIPT, str(home / "secrets")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    why = found["locked"][1][0][1]
    assert "SecretService" in why
    assert "it is locked; unlock it" in why
    assert "it is locked; unlock it" in found.pop("set")
    assert found == {
        "kept": "keyring",
        "read": True,
        "deleted": ["LONG"],
        "left": ["A", "ODD"],
        "files": False,
        "locked": [{}, [["A", why], ["ODD", why]]],
    }
