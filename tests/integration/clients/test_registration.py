"""Preview, write and undo on real files, with others who write at the same time."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from support.registering import clients_in, installed
from wassette.clients import Clients, Launcher, Standing, check, files, fix
from wassette.clients.machine import Machine
from wassette.errors import ClientError, SettingsChanged

SERVERS = b'{\n  "mcpServers": {\n    "other": {"command": "x"}\n  }\n}\n'


def entry(file: Path, name: str = "wassette") -> dict[str, object]:
    value = json.loads(file.read_bytes())["mcpServers"][name]
    assert isinstance(value, dict)
    return value


def with_entry(**members: object) -> bytes:
    return json.dumps({"mcpServers": {"wassette": members}}, indent=2).encode()


# ---- preview and write ---------------------------------------------------------------------------


def test_what_is_shown_is_what_is_done(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", SERVERS)
    before = tmp_path / "before"
    before.write_bytes(file.read_bytes())
    plan = clients.plan_add("cursor")
    assert file.read_bytes() == SERVERS
    clients.write(plan)
    real = subprocess.run(
        ["diff", "-u", before, file], capture_output=True, text=True, check=False
    ).stdout
    assert plan.diff.splitlines()[2:] == real.splitlines()[2:]
    assert plan.diff.splitlines()[0] == f"--- {file}"


@pytest.mark.parametrize("change", ["content", "gone", "link"])
def test_file_changed_since_the_preview(change: str, tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", SERVERS)
    plan = clients.plan_add("cursor")
    other = tmp_path / "other.json"
    other.write_bytes(SERVERS)
    if change == "content":
        file.write_bytes(SERVERS + b"\n")
    else:
        file.unlink()
    if change == "link":
        file.symlink_to(other)
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(SettingsChanged, match="changed by another program"):
        clients.write(plan)
    assert (file.read_bytes() if file.exists() else None) == before
    assert other.read_bytes() == SERVERS
    with pytest.raises(ClientError, match="Nothing was changed"):
        clients.undo("cursor")


def test_file_made_since_the_preview(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor")
    plan = clients.plan_add("cursor")
    file.write_bytes(SERVERS)
    with pytest.raises(SettingsChanged):
        clients.write(plan)
    assert file.read_bytes() == SERVERS


def test_token_binds_the_write_to_what_was_shown(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", SERVERS)
    token = clients.plan_add("cursor").token
    file.write_bytes(SERVERS + b"\n")
    with pytest.raises(SettingsChanged):
        clients.add("cursor", token=token)
    assert file.read_bytes() == SERVERS + b"\n"
    clients.add("cursor", token=clients.plan_add("cursor").token)
    assert clients.state("cursor").standing is Standing.CURRENT


def test_adding_twice_changes_nothing(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", SERVERS)
    clients.add("cursor")
    once = file.read_bytes()
    written = clients.add("cursor")
    assert (written.plan.action, written.plan.diff, file.read_bytes()) == ("none", "", once)
    clients.undo("cursor")
    assert file.read_bytes() == SERVERS


def test_links_mode_and_attributes_are_kept(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor")
    dotfile = tmp_path / "dotfiles" / "cursor.json"
    dotfile.parent.mkdir()
    dotfile.write_bytes(SERVERS)
    dotfile.chmod(0o640)
    os.setxattr(dotfile, "user.mine", b"1")
    file.symlink_to(dotfile)
    clients.add("cursor")
    assert file.is_symlink()
    assert b"wassette" in dotfile.read_bytes()
    assert stat.S_IMODE(dotfile.stat().st_mode) == 0o640
    assert os.getxattr(dotfile, "user.mine") == b"1"
    assert [one.name for one in dotfile.parent.iterdir()] == ["cursor.json"]
    clients.undo("cursor")
    assert dotfile.read_bytes() == SERVERS
    assert file.is_symlink()


def test_link_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor")
    target = tmp_path / "dotfiles" / "cursor.json"
    target.parent.mkdir()
    file.symlink_to(target)
    clients.add("cursor")
    assert b"wassette" in target.read_bytes()
    clients.undo("cursor")
    assert file.is_symlink()
    assert not target.exists()


def test_directories_that_were_made_go_away_again(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    (tmp_path / ".config" / "Code").mkdir(parents=True)
    clients.add("vscode")
    made = tmp_path / ".config" / "Code" / "User" / "mcp.json"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    clients.undo("vscode")
    assert list((tmp_path / ".config" / "Code").iterdir()) == []


def test_read_only_file_is_respected(tmp_path: Path) -> None:
    """Also where we could write it, since we can write its directory, or are root."""
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", SERVERS)
    file.chmod(0o444)
    with pytest.raises(ClientError, match="read-only"):
        clients.add("cursor")
    assert file.read_bytes() == SERVERS
    with pytest.raises(ClientError, match="Nothing was changed"):
        clients.undo("cursor")


def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    clients = clients_in(tmp_path, project=Path("/proc/self"))
    with pytest.raises(ClientError, match=r"cannot be written.*left as it is"):
        clients.add("cursor")


# ---- entries that are there ----------------------------------------------------------------------


def test_entry_that_runs_something_else(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    data = with_entry(command="/usr/bin/node", args=["server.js"], env={"A": "b"})
    file = installed(clients, "cursor", data)
    assert clients.state("cursor").standing is Standing.FOREIGN
    with pytest.raises(ClientError, match=r"/usr/bin/node server\.js.*--replace"):
        clients.add("cursor")
    with pytest.raises(ClientError, match="does not run Wassette"):
        clients.remove("cursor")
    assert file.read_bytes() == data
    clients.add("cursor", replace=True)
    assert "env" not in entry(file)
    clients.undo("cursor")
    assert file.read_bytes() == data


def test_entry_with_an_address_is_something_else(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    installed(clients, "cursor", with_entry(url="https://example.com/mcp"))
    with pytest.raises(ClientError, match="of another kind"):
        clients.add("cursor")


def test_entry_of_a_wassette_that_is_gone_is_corrected(tmp_path: Path) -> None:
    """As after a virtual environment was moved. What the user added to the entry stays."""
    clients = clients_in(tmp_path)
    data = (
        b'{\n  "mcpServers": {\n    // m\n    "wassette": {\n      "command": "/gone/wassette",\n'
        b'      "args": ["serve", "--stdio"], // x\n      "env": {"A": "b"},\n    },\n  },\n}'
    )
    file = installed(clients, "cursor", data)
    [finding] = check(clients)
    assert (finding.kind, finding.fixable) == ("broken", True)
    clients.write(fix(clients, finding))
    own = str(tmp_path / "opt" / "wassette")
    text = file.read_text()
    assert f'"command": "{own}"' in text
    assert '// x\n      "env": {"A": "b"},' in text
    assert check(clients) == []
    clients.undo("cursor")
    assert file.read_bytes() == data


def test_entry_of_another_wassette_is_asked_about(tmp_path: Path) -> None:
    other = tmp_path / "other" / "wassette"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", with_entry(command=str(other), args=["serve", "--stdio"]))
    with pytest.raises(ClientError, match="--replace"):
        clients.add("cursor")
    [finding] = check(clients)
    assert finding.kind == "another"
    clients.write(fix(clients, finding))
    assert entry(file)["command"] == str(tmp_path / "opt" / "wassette")


@pytest.mark.parametrize(
    ("command", "arguments", "kind"),
    [
        ("{home}/opt/wassette", ["serve", "--stdio", "--allow-agent-grants"], None),
        ("{home}/opt/wassette", ["run"], None),
        ("wassette", ["serve", "--stdio"], None),
        ("{home}/opt/wassette", ["tool", "list"], "outdated"),
        ("{home}/opt/wassette", [], "outdated"),
        ("/gone/bin/python", ["-m", "wassette", "serve"], "broken"),
        ("C:\\Gone\\wassette.exe", ["serve"], "broken"),
        ("/usr/bin/env", ["true"], "foreign"),
    ],
)
def test_entries_that_were_written_by_hand(
    command: str, arguments: list[str], kind: str | None, tmp_path: Path
) -> None:
    clients = clients_in(tmp_path, environment={"PATH": str(tmp_path / "opt")})
    command = command.replace("{home}", str(tmp_path))
    installed(clients, "cursor", with_entry(command=command, args=arguments))
    assert [finding.kind for finding in check(clients)] == ([kind] if kind else [])


def test_duplicates_are_found_and_mended(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(
        clients,
        "cursor",
        b'{"mcpServers": {"tools": {"command": "wassette", "args": ["serve", "--stdio"]}}}',
    )
    clients.add("cursor")
    [finding] = check(clients)
    assert (finding.kind, finding.entry) == ("duplicate", "tools")
    clients.write(fix(clients, finding))
    assert list(json.loads(file.read_bytes())["mcpServers"]) == ["wassette"]
    assert check(clients) == []


def test_duplicates_in_another_file_of_the_client(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    folder = tmp_path / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.json").write_text(
        '{"mcp": {"wassette": {"type": "local", "command": ["wassette", "serve"]}}}'
    )
    (folder / "opencode.jsonc").write_text("{}")
    clients.add("opencode")
    [finding] = check(clients)
    assert finding.file == folder / "opencode.json"
    clients.write(fix(clients, finding))
    assert check(clients) == []


def test_duplicates_in_a_list(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(
        clients,
        "continue",
        b"mcpServers:\n  - name: mine\n    command: wassette\n    args: [serve]\n",
    )
    clients.add("continue")
    [finding] = check(clients)
    clients.write(fix(clients, finding))
    assert b"mine" not in file.read_bytes()


def test_switched_off_and_unreadable_are_findings(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    own = str(tmp_path / "opt" / "wassette")
    installed(clients, "cursor", with_entry(command=own, args=["serve"], disabled=True))
    installed(clients, "codex", b"a = \n")
    assert {(one.client, one.kind) for one in check(clients)} == {
        ("cursor", "disabled"),
        ("codex", "unreadable"),
    }


def test_temporary_installation_is_the_only_finding(tmp_path: Path) -> None:
    class Temporary(Clients):
        @property
        def own(self) -> Launcher:
            raise ClientError("temporary")

    clients = Temporary(machine=Machine("linux", tmp_path, {}), state=tmp_path / "state")
    assert [one.kind for one in check(clients)] == ["temporary"]


# ---- undo ----------------------------------------------------------------------------------------


def test_undo_goes_back_step_by_step(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", SERVERS)
    clients.add("cursor")
    added = file.read_bytes()
    clients.remove("cursor")
    assert file.read_bytes() == SERVERS
    clients.undo("cursor")
    assert file.read_bytes() == added
    clients.undo("cursor")
    assert file.read_bytes() == SERVERS
    with pytest.raises(ClientError, match="Nothing was changed for Cursor"):
        clients.undo("cursor")


def test_undo_leaves_alone_what_others_wrote(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", b"{}")
    clients.add("cursor")
    value = json.loads(file.read_bytes())
    value["mcpServers"]["theirs"] = {"command": "y"}
    value["theme"] = "dark"
    file.write_text(json.dumps(value, indent=4))
    clients.undo("cursor")
    del value["mcpServers"]["wassette"]
    assert file.read_text() == json.dumps(value, indent=4)


def test_undo_of_a_removal_after_others_wrote(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    data = with_entry(command=str(tmp_path / "opt" / "wassette"), args=["serve"], env={"A": "b"})
    file = installed(clients, "cursor", data)
    clients.remove("cursor")
    file.write_text('{"mcpServers": {}, "theme": "dark"}')
    clients.undo("cursor")
    assert entry(file)["env"] == {"A": "b"}
    assert json.loads(file.read_bytes())["theme"] == "dark"


def test_undo_of_what_was_taken_out_by_hand_already(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", SERVERS)
    clients.add("cursor")
    file.write_text('{"theme": "dark"}')
    clients.undo("cursor")
    assert file.read_text() == '{"theme": "dark"}'


def test_backups_are_private_and_only_those_that_are_needed(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor")
    for turn in range(60):
        file.write_text(json.dumps({"token": f"s3cr3t-{turn}", "mcpServers": {}}))
        clients.add("cursor")
    state = tmp_path / "state"
    assert len(list((state / "backups").iterdir())) == 50
    for path in (state, *state.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_lost_backup(tmp_path: Path) -> None:
    """Then only the entry is taken out."""
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", b'{ "mcpServers" : { } }')
    clients.add("cursor")
    for path in (tmp_path / "state" / "backups").iterdir():
        path.write_bytes(b"rubbish")
    clients.undo("cursor")
    assert json.loads(file.read_bytes()) == {"mcpServers": {}}


def test_broken_journal_says_where_the_backups_are(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", SERVERS)
    clients.add("cursor")
    added = file.read_bytes()
    (tmp_path / "state" / "journal.json").write_text("[{")
    with pytest.raises(ClientError, match="backups"):
        clients.undo("cursor")
    assert file.read_bytes() == added


# ---- projects ------------------------------------------------------------------------------------


def test_project_settings(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    clients = clients_in(tmp_path, project=project)
    written = clients.add("claude-code")
    assert entry(project / ".mcp.json") == {
        "type": "stdio",
        "command": "wassette",
        "args": ["serve", "--stdio"],
    }
    assert any("PATH" in note for note in written.notes)
    assert clients.state("claude-code").standing is Standing.CURRENT
    assert clients_in(tmp_path).state("claude-code").standing is Standing.ABSENT
    clients.undo("claude-code")
    assert list(project.iterdir()) == []
    with pytest.raises(ClientError, match="no settings for a single project"):
        clients.plan_add("claude-desktop")


def test_component_directory_of_an_entry(tmp_path: Path) -> None:
    clients = Clients(
        component_dir="/my/components",
        machine=Machine("linux", tmp_path, {}),
        own=Launcher("/bin/sh"),
        state=tmp_path / "state",
    )
    file = installed(clients, "cursor")
    clients.add("cursor")
    assert entry(file)["args"] == ["serve", "--stdio", "--component-dir", "/my/components"]


# ---- others who write at the same time -----------------------------------------------------------

CLICK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from support.registering import clients_in
clients = clients_in(Path(sys.argv[1]))
sys.stdin.readline()
for _ in range(20):
    getattr(clients, sys.argv[2])("cursor")
"""


def test_two_clicks_at_once(tmp_path: Path) -> None:
    """Four processes add and remove as fast as they can: there is one entry or none, and the other
    servers are still there."""
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", SERVERS)
    tests = str(Path(__file__).parents[2])
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CLICK, str(tmp_path), action, tests],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for action in ("add", "add", "remove", "add")
    ]
    for one in running:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    for one in running:
        _, err = one.communicate(timeout=120)
        # Whoever lost five times in a row says so; nothing else may go wrong.
        assert one.returncode == 0 or "SettingsChanged" in err, err
    servers = json.loads(file.read_bytes())["mcpServers"]
    assert servers["other"] == {"command": "x"}
    if "wassette" in servers:
        clients.remove("cursor")
    assert file.read_bytes() == SERVERS
    assert [path.name for path in file.parent.iterdir()] == ["mcp.json"]


@pytest.mark.parametrize("style", ["rename", "in-place"])
def test_client_writes_in_between(style: str, tmp_path: Path) -> None:
    """A client that writes all the time never finds an older state of its own than the last."""
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", b'{"count": 0, "mcpServers": {}}')
    lost: list[int] = []
    count = 0
    done = threading.Event()

    def write() -> None:
        nonlocal count
        while not done.is_set():
            count += 1
            data = json.dumps({"count": count, "mcpServers": {}})
            if style == "rename":
                beside = file.with_name("theirs")
                beside.write_text(data)
                beside.replace(file)
            else:
                file.write_text(data)
            if not eventually(count):
                lost.append(count)
            time.sleep(0.002)

    def eventually(wanted: int) -> bool:
        """Ours may be there for a moment, until it is found out and taken back."""
        for _ in range(100):
            try:
                if json.loads(file.read_bytes())["count"] == wanted:
                    return True
            except (ValueError, KeyError, FileNotFoundError):
                pass
            time.sleep(0.01)
        return False

    client = threading.Thread(target=write)
    client.start()
    outcomes: list[str] = []
    try:
        deadline = time.monotonic() + 60
        while len(outcomes) < 60 and time.monotonic() < deadline:
            try:
                plan = clients.plan_add("cursor")
            except ClientError:  # half of what is written in place
                continue
            try:
                outcomes.append(clients.write(plan).plan.action)
            except SettingsChanged:
                outcomes.append("refused")
    finally:
        done.set()
        client.join()
    assert lost == []
    assert len(outcomes) == 60
    assert count > 1


@pytest.mark.parametrize("style", ["rename", "in-place", "open", "gone"])
def test_client_writes_in_the_last_moment(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nothing is left to be done but the one step that puts our file in its place. `open`: the
    client has emptied its file and is about to write it."""
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", SERVERS if style != "open" else b"")
    theirs = b'{"mcpServers": {"theirs": {}}}'
    late: list[int] = []
    prepare = files._take_over

    def write(target: Path, temporary: Path, status: os.stat_result) -> None:
        prepare(target, temporary, status)
        if style == "rename":
            beside = file.with_name("theirs")
            beside.write_bytes(theirs)
            beside.replace(file)
        elif style == "in-place":
            file.write_bytes(theirs)
        elif style == "open":
            late.append(os.open(file, os.O_WRONLY))
        else:
            file.unlink()

    monkeypatch.setattr(files, "_take_over", write)
    plan = clients.plan_add("cursor")
    with pytest.raises(ClientError):
        clients.write(plan)
    for descriptor in late:
        os.write(descriptor, theirs)
        os.close(descriptor)
    if style == "gone":
        assert list(file.parent.iterdir()) == []
        return
    assert file.read_bytes() == theirs
    assert list(file.parent.iterdir()) == [file]


CRASH = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from support.registering import clients_in
from wassette.clients import files
def crash(*_):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(files, sys.argv[3], crash)
clients_in(Path(sys.argv[1])).add("cursor")
"""


@pytest.mark.parametrize("where", ["replace", "_exchange", "_take_over"])
def test_crash_between_backup_and_write(where: str, tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", SERVERS)
    command = [sys.executable, "-c", CRASH, str(tmp_path), str(Path(__file__).parents[2]), where]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert file.read_bytes() == SERVERS
    [*left] = file.parent.glob(".mcp.json.*")
    assert len(left) == (where == "_take_over")
    clients.undo("cursor")  # of what never happened: nothing
    assert file.read_bytes() == SERVERS
    clients.add("cursor")
    clients.undo("cursor")
    assert file.read_bytes() == SERVERS
    assert [path.name for path in file.parent.iterdir()] == ["mcp.json"]
    with pytest.raises(ClientError, match="Nothing was changed"):
        clients.undo("cursor")


def test_running_client_that_rewrites_its_settings_is_noticed(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    installed(clients, "claude-desktop")
    assert clients.plan_add("claude-desktop").notes == ()
    program = tmp_path / "claude-desktop"
    program.write_bytes(Path("/bin/sleep").resolve().read_bytes())
    program.chmod(0o755)
    running = subprocess.Popen([program, "60"])
    try:
        deadline = time.monotonic() + 60
        while not (notes := clients.plan_add("claude-desktop").notes):  # until it has its name
            assert time.monotonic() < deadline
        assert "is running" in notes[0]
    finally:
        running.kill()
        running.wait()


# ---- verify --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "listed", "healthy"),
    [
        ("wassette:\\n  Status: \\033[32m✔ Connected\\033[0m", True, True),
        ("wassette:\\n  Status: ✘ Failed to connect", True, False),
        ('No MCP server named "wassette".', False, None),
    ],
)
def test_what_the_client_says(
    output: str, listed: bool, healthy: bool | None, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf '{output}\\n'\n")
    program.chmod(0o755)
    clients = clients_in(tmp_path, environment={"PATH": f"{program.parent}:/bin"})
    verified = clients.verify("claude-code")
    assert verified is not None
    assert (verified.listed, verified.healthy) == (listed, healthy)
    assert clients_in(tmp_path).verify("claude-code") is None
    assert clients.verify("cursor") is None


def test_client_that_does_not_answer(tmp_path: Path) -> None:
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    clients = clients_in(tmp_path, environment={"PATH": f"{tmp_path}:/bin"})
    with pytest.raises(ClientError, match=r"claude.*0\.2 s"):
        clients.verify("claude-code", timeout=0.2)
