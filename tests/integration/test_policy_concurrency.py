"""Several processes change one policy at once: nothing is lost, and nobody sees half a file."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from wassette.policy import PolicyStatus, PolicyStore

if TYPE_CHECKING:
    from pathlib import Path

WRITERS = 5
EDITS = 12

# Every writer adds hosts of its own, and takes every third away again.
WRITER = """
import sys
from pathlib import Path
from wassette.policy import PolicyStore

store, name = PolicyStore(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    with store.edit("shared") as document:
        document.grant_network(f"{name}-{number}.com")
    if number % 3 == 0:
        with store.edit("shared") as document:
            assert document.revoke_network(f"{name}-{number}.com")
"""


def test_edits_of_several_processes_are_all_there(tmp_path: Path) -> None:
    store = PolicyStore(tmp_path)
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [
        subprocess.Popen(
            [*command, f"w{number}", str(EDITS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        statuses = {PolicyStatus.LOADED}
        while any(writer.poll() is None for writer in writers):
            state = store.read("shared")
            if state.status is not PolicyStatus.ABSENT:
                statuses.add(state.status)
            time.sleep(0.001)
        assert [writer.returncode for writer in writers] == [0] * WRITERS
        assert statuses == {PolicyStatus.LOADED}
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    policy = store.read("shared").policy
    assert policy is not None
    assert sorted(rule.host or "" for rule in policy.network_allow) == sorted(
        f"w{writer}-{number}.com"
        for writer in range(WRITERS)
        for number in range(EDITS)
        if number % 3
    )
    assert {file.name for file in tmp_path.iterdir()} <= {".lock", "shared.policy.yaml"}
