"""With the first wall removed: a worker that runs native code, as after a hole in wasmtime.

Every attack has a name, and the kernel refuses it. Each is also tried without walls, to see that it
is an attack. It all holds for root, which is what tests often run as, and what containers are.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("these walls are Linux'", allow_module_level=True)

from support.ward import SECRET, Ward, ended
from wassette.errors import WorkerDied
from wassette.workers import walls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio

if not all(wall.stands for wall in walls.available()):
    pytest.skip("a wall is missing on this machine", allow_module_level=True)

REFUSED = {"EACCES", "EPERM", "ENOSYS", "EXDEV"}
"""What the walls answer. Anything else would be a mistake of the attack's."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


WARDS = {
    "forked": ("fork", ()),
    "spawned": ("spawn", ()),
    "nobody": ("fork", ("nobody",)),
    "landlock alone": ("fork", ("no-libseccomp",)),
    "seccomp alone": ("fork", ("no-landlock",)),
}


@pytest.fixture(scope="module", params=WARDS)
async def ward(request: pytest.FixtureRequest) -> AsyncIterator[Ward]:
    start, options = WARDS[request.param]
    if "nobody" in options and os.getuid() != 0:
        pytest.skip("is somebody else already")
    async with Ward(start, options) as made:
        yield made


@pytest.fixture(scope="module")
async def free() -> AsyncIterator[Ward]:
    """Without walls."""
    async with Ward("fork", ("no-walls",)) as made:
        yield made


@dataclass(frozen=True)
class Attack:
    """`by`: which parts refuse it each by itself: `l`andlock and privileges, `s`eccomp.

    `control`: whether it can be tried without walls.
    """

    id: str
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    by: str = "s"
    control: bool = True


def of_files() -> list[Attack]:
    def reading(what: str, path: str) -> Attack:
        return Attack(f"reading {what}", "read", {"path": path}, "l")

    return [
        reading("outside the grants", "{secret}"),
        reading("the neighbour of a granted file", "{neighbour}"),
        reading("through a link in a grant", "{granted}/link"),
        reading("through dots", "{granted}/../outside/secret.txt"),
        reading("the password file", "/etc/passwd"),
        reading("through /proc/self/root", "/proc/self/root{secret}"),
        reading("through /proc/self/cwd", "/proc/self/cwd{secret}"),
        reading("its own environment", "/proc/self/environ"),
        reading("its own memory map", "/proc/self/maps"),
        reading("the host's environment", "/proc/{host}/environ"),
        reading("the host's command line", "/proc/{host}/cmdline"),
        reading("the fork server's environment", "/proc/{server}/environ"),
        reading("a sibling's environment", "/proc/{sibling}/environ"),
        reading("through the host's root", "/proc/{host}/root{secret}"),
        reading("through the host's directory", "/proc/{host}/cwd/pyproject.toml"),
        Attack("opening the host's memory", "open_only", {"path": "/proc/{host}/mem"}, "l"),
        Attack("opening a sibling's memory", "open_only", {"path": "/proc/{sibling}/mem"}, "l"),
        Attack("opening the host's descriptor", "open_only", {"path": "/proc/{host}/fd/0"}, "l"),
        Attack("opening a disk", "open_only", {"path": "{disk}"}, "l", control=False),
        Attack("relative to a grant", "read_relative_to_a_grant",
               {"grant": "{granted}", "path": "../outside/secret.txt"}, "l"),
        Attack("through a path handle", "read_through_a_path_handle", {"path": "{secret}"}, "l"),
        Attack("making a file handle", "make_a_file_handle", {"path": "{secret}"}),
        Attack("opening a file handle", "open_by_file_handle",
               {"grant": "{granted}", "handle": "{handle}"}, "ls"),
        Attack("listing elsewhere", "listing", {"path": "{outside}"}, "l"),
        Attack("listing the root", "listing", {"path": "/"}, "l"),
        Attack("listing processes", "listing", {"path": "/proc"}, "l"),
        Attack("listing the host's descriptors", "listing", {"path": "/proc/{host}/fd"}, "l"),
        Attack("writing outside", "write", {"path": "{secret}"}, "l"),
        Attack("writing what is read-only", "write", {"path": "{theirs}"}, "l"),
        Attack("writing a granted file", "write", {"path": "{single}"}, "l"),
        Attack("making a file outside", "create", {"path": "{outside}/new"}, "l"),
        Attack("making a file where reading is granted", "create", {"path": "{readable}/new"}, "l"),
        Attack("making a file in /tmp", "create", {"path": "{folder}/../ward-{host}"}, "l"),
        Attack("making a directory outside", "make_directory", {"path": "{outside}/newd"}, "l"),
        Attack("removing what is read-only", "remove", {"path": "{readable}/spare"}, "l"),
        Attack("moving a secret into a grant", "rename",
               {"old": "{outside}/spare", "new": "{granted}/s"}, "l"),
        Attack("moving a grant's file out", "rename",
               {"old": "{granted}/spare", "new": "{outside}/m"}, "l"),
        Attack("a hard link to a secret", "hard_link",
               {"old": "{secret}", "new": "{granted}/hard"}, "l"),
        Attack("a hard link to more rights", "hard_link",
               {"old": "{theirs}", "new": "{granted}/hard2"}, "l"),
        Attack("a link outside", "symbolic_link", {"target": "x", "path": "{outside}/l"}, "l"),
        Attack("truncating by name", "truncate_by_name", {"path": "{theirs}"}, "ls"),
        Attack("truncating by opening", "truncate_by_opening", {"path": "{theirs}"}, "l"),
        Attack("changing a mode", "change_mode", {"path": "{secret}"}),
        Attack("changing an owner", "change_owner", {"path": "{secret}"}),
        Attack("setting an attribute", "set_attribute", {"path": "{secret}"}),
        Attack("watching files", "system_call", {"name": "inotify_init1", "arguments": [0]}),
        Attack("making a pipe in a grant", "make_fifo", {"path": "{granted}/fifo"}, "ls"),
        Attack("making a device in a grant", "make_device", {"path": "{granted}/null"}, "ls"),
        Attack("changing the root", "change_root", {"path": "/"}, "ls"),
    ]  # fmt: skip


def of_the_network() -> list[Attack]:
    inet, inet6, packet, netlink, unix, vsock = 2, 10, 17, 16, 1, 40
    stream, datagram, raw = 1, 2, 3

    def making(what: str, family: int, kind: int, protocol: int = 0) -> Attack:
        arguments = {"family": family, "kind": kind, "protocol": protocol}
        return Attack(f"making {what}", "any_socket", arguments)

    return [
        Attack("connecting to another port", "connect", {"port": "$other"}, "l"),
        Attack("connecting by IPv6", "connect", {"port": "$other6", "address": "::1"}, "ls"),
        Attack("reconnecting the relay's socket", "reconnect",
               {"relay": "$relay", "port": "$other"}, "l"),
        Attack("connecting by MPTCP", "connect_by_another_protocol",
               {"port": "$other", "protocol": 262}),
        Attack("TCP Fast Open by sendto", "fast_open", {"port": "$other", "how": "sendto"}),
        Attack("TCP Fast Open by sendmsg", "fast_open", {"port": "$other", "how": "sendmsg"}),
        Attack("TCP Fast Open by option", "fast_open", {"port": "$other", "how": "option"}, "ls"),
        Attack("UDP", "udp", {"port": "$udp"}),
        Attack("a UNIX socket by path", "unix_socket", {"path": "{unix}"}),
        Attack("an abstract UNIX socket", "unix_socket", {"path": "{abstract}"}, "ls"),
        Attack("binding a port", "bind", by="ls"),
        Attack("listening without binding", "listen_without_binding"),
        Attack("a pair of sockets", "socket_pair"),
        Attack("passing a descriptor to the host", "pass_a_descriptor", control=False),
        making("a raw socket", inet, raw, 1),
        making("a packet socket", packet, raw, 3),
        making("a netlink socket", netlink, raw),
        making("a UDP socket", inet, datagram),
        making("an IPv6 socket", inet6, stream),
        making("a UNIX socket", unix, stream),
        making("a vsock socket", vsock, stream),
        making("a crypto socket", 38, 5),
        making("an SCTP socket", inet, stream, 132),
    ]  # fmt: skip


def of_processes() -> list[Attack]:
    attach, seize, new_user, new_net = 16, 0x4206, 0x10000000, 0x40000000
    found = [
        Attack("executing a program", "execute", by="ls"),
        Attack("executing Python", "execute", {"path": sys.executable}, "ls"),
        Attack("executing from memory", "execute_from_memory"),
        Attack("executing a descriptor", "execute_a_descriptor", control=False),
        Attack("forking", "fork"),
        Attack("forking as native code", "system_call", {"name": "fork"}, control=False),
        Attack("vfork", "system_call", {"name": "vfork"}, control=False),
        Attack("cloning a process", "clone", {"flags": 17}),
        Attack("cloning with shared memory", "clone", {"flags": 0x4000 | 17}),
        Attack("clone3", "clone3"),
        Attack("cloning into a user namespace", "clone", {"flags": new_user | 17}),
        Attack("a user namespace", "system_call", {"name": "unshare", "arguments": [new_user]}),
        Attack("a network namespace", "system_call",
               {"name": "unshare", "arguments": [new_net]}, "ls"),
        Attack("joining a namespace", "system_call", {"name": "setns", "arguments": [0, 0]}),
        Attack("being traced", "be_traced"),
        Attack("attaching to a sibling", "trace",
               {"pid": "$sibling", "request": attach}, "ls", control=False),
        Attack("taking a descriptor", "take_a_descriptor"),
        Attack("signalling everything", "send_signal", {"pid": -1}, control=False),
        Attack("signalling its group", "send_signal", {"pid": 0}),
        Attack("a signal to itself, not by abort", "system_call",
               {"name": "rt_sigqueueinfo", "arguments": [1, 0, 0]}),
    ]  # fmt: skip
    for who in ("host", "server", "sibling"):
        pid = {"pid": f"${who}"}
        found += [
            Attack(f"tracing the {who}", "trace", {**pid, "request": seize}, "ls"),
            Attack(f"reading memory of the {who}", "read_memory_of", pid, "ls"),
            Attack(f"writing memory of the {who}", "write_memory_of", pid, "ls", control=False),
            Attack(f"signalling the {who}", "send_signal", pid, "ls"),
            Attack(f"signalling a thread of the {who}", "signal_a_thread", pid, "ls"),
            Attack(f"signalling any thread of the {who}", "signal_any_thread", pid, "ls"),
            Attack(f"queueing a signal for the {who}", "queue_a_signal", pid),
            Attack(f"signalling the {who} by ownership", "signal_by_ownership", pid),
            Attack(f"a handle of the {who}", "open_a_process", pid),
            Attack(f"comparing with the {who}", "compare_with", pid, "ls"),
            Attack(f"reading limits of the {who}", "read_limits_of", pid),
        ]
    found += [
        Attack("slowing a sibling down", "slow_down", {"pid": "$sibling"}),
        Attack("moving a sibling's memory", "system_call",
               {"name": "move_pages", "arguments": [0, 0, 0, 0, 0, 0]}),
    ]  # fmt: skip
    return found


def of_the_kernel() -> list[Attack]:
    big = 0xFFFFFFFF

    def calling(name: str, *arguments: int, by: str = "s", control: bool = True) -> Attack:
        what = {"name": name, "arguments": [*arguments]}
        return Attack(f"kernel: {name}", "system_call", what, by, control)

    return [
        calling("io_uring_setup", 0, 0), calling("bpf", 0, 0, 0),
        calling("perf_event_open", 0, 0, 0, 0, 0), calling("userfaultfd", big),
        calling("keyctl", 0, -3, 1), calling("add_key", 0, 0, 0, 0, -3),
        calling("request_key", 0, 0, 0, 0), calling("memfd_create", 0, 0),
        calling("memfd_secret", big), calling("init_module", 0, 0, 0, by="ls"),
        calling("finit_module", -1, 0, 0, by="ls"), calling("delete_module", 0, 0, by="ls"),
        calling("kexec_load", 0, 0, 0, big, by="ls"), calling("swapon", 0, big),
        calling("swapoff", 0, by="ls"), calling("reboot", 0, 0, 0, 0, by="ls"),
        calling("acct", 1, by="ls"), calling("quotactl", -1, 0, 0, 0),
        calling("personality", big), calling("syslog", 10, 0, 0),
        calling("sethostname", 0, 100, by="ls"), calling("setdomainname", 0, 100, by="ls"),
        calling("settimeofday", 1, 0), calling("clock_settime", 0, 0),
        calling("fanotify_init", big, big), calling("mount", 0, 0, 0, 0, 0),
        calling("umount2", 1, 0), calling("pivot_root", 0, 0, by="ls"),
        calling("fsopen", 0, 0, by="ls"), calling("open_tree", -1, 0, 0),
        calling("move_mount", -1, 0, -1, 0, 0, by="ls"), calling("shmget", 0, 4096, 0o600),
        calling("semget", 0, 1, 0o600), calling("msgget", 0, 0o600), calling("mq_open", 0, 0, 0, 0),
        calling("seccomp", 1, 0, 0), calling("prctl", 4, 1, 0, 0, 0),
        calling("prctl", 1, 0, 0, 0, 0), calling("setsid"), calling("umask", 0),
        calling("setuid", 65533, by="ls"), calling("setgid", 65533, by="ls"),
        calling("setresuid", 65533, 65533, 65533, by="ls"), calling("setgroups", 0, 0, by="ls"),
        calling("capset", 0, 0), calling("process_madvise", 0, 0, 0, 0, big),
        calling("splice", -1, 0, -1, 0, 0, 0), calling("landlock_create_ruleset", 0, 0, 1),
        *(
            Attack(f"raising {what}", "raise_limit", {"what": what})
            for what in ("RLIMIT_DATA", "RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_CPU")
        ),
    ]  # fmt: skip


ATTACKS = [*of_files(), *of_the_network(), *of_processes(), *of_the_kernel()]


def named(attacks: list[Attack]) -> list[Any]:
    return [pytest.param(one, id=f"{one.id}") for one in attacks]


def refusable(ward: Ward, attack: Attack) -> bool:
    """Whether one of the parts that stand refuses it."""
    missing = {"l": "no-landlock", "s": "no-libseccomp"}
    return any(missing[part] not in ward.options for part in attack.by)


@pytest.mark.parametrize("attack", named(ATTACKS))
async def test_is_refused(ward: Ward, attack: Attack) -> None:
    if not refusable(ward, attack):
        pytest.skip("is for the wall that is missing")
    found = await ward.attack(attack.name, **attack.arguments)
    assert found.get("refused") in REFUSED, found
    assert Path(ward.places["secret"]).read_text() == SECRET


@pytest.mark.parametrize("attack", named([one for one in ATTACKS if one.control]))
async def test_is_an_attack(free: Ward, attack: Attack) -> None:
    """It gets further without walls, so it is those that refuse it."""
    worker = await free.worker()
    try:
        found = await free.attack(attack.name, worker, **attack.arguments)
    except WorkerDied:
        return  # another program, or nothing sensible, runs there now
    finally:
        worker.kill()
        await ended(worker)
    if found.get("refused") == "ENOSYS" or "EAFNOSUPPORT" in str(found):
        pytest.skip("this kernel does not have that")
    if found.get("refused") == "EPERM" and os.getuid() != 0:
        pytest.skip("only root could try")
    assert found.get("refused") not in REFUSED, found


# ---- what stays possible, what is reported -------------------------------------------------------


async def test_what_was_granted_works(ward: Ward) -> None:
    """Else the attacks could be refused because nothing works."""
    assert await ward.attack("read", path="{mine}") == {"done": "mine"}
    assert await ward.attack("read", path="{theirs}") == {"done": "theirs"}
    assert await ward.attack("read", path="{single}") == {"done": "single"}
    assert "theirs.txt" in (await ward.attack("listing", path="{readable}"))["done"]
    assert await ward.attack("create", path="{granted}/made") == {"done": None}
    assert await ward.attack("write", path="{granted}/made") == {"done": 7}
    assert await ward.attack("truncate_by_opening", path="{granted}/made") == {"done": None}
    assert await ward.attack("rename", old="{granted}/made", new="{granted}/m") == {"done": None}
    assert await ward.attack("remove", path="{granted}/m") == {"done": None}
    assert await ward.attack("connect", port="$relay") == {"done": "HTTP/1.1 204 No Content"}


async def test_native_http_reaches_the_relay_and_nothing_else(
    ward: Ward, fixture_component: Callable[[str], Path]
) -> None:
    """What a component would do if the guard of HTTP were not in front of it."""
    component = fixture_component("c-http").read_bytes().hex()

    async def get(port: str) -> Any:
        arguments = {"component": component, "authority": f"127.0.0.1:{{{port}}}"}
        return (await ward.attack("native_http", **arguments))["done"]

    assert await get("relay") == 204
    if "no-landlock" not in ward.options:
        assert await get("other") != 204


@pytest.mark.parametrize(
    "attack",
    named(
        [
            Attack("reading what others were granted", "read", {"path": "{mine}"}, "l"),
            Attack("reading", "read", {"path": "/etc/passwd"}, "l"),
            Attack("reading the component directory", "listing", {"path": "{folder}"}, "l"),
            Attack("writing other code", "write", {"path": "{code}"}, "l"),
            Attack("connecting to a relay", "connect", {"port": "$relay"}, "ls"),
            Attack("executing", "execute", by="ls"),
            Attack("forking", "fork"),
            Attack("signalling a worker", "send_signal", {"pid": "$sibling"}, "ls"),
        ]
    ),
)
async def test_compiling_is_confined_to_nothing(ward: Ward, attack: Attack) -> None:
    if not refusable(ward, attack):
        pytest.skip("is for the wall that is missing")
    found = await ward.attack_compiling(attack.name, **attack.arguments)
    assert found.get("refused") in REFUSED, found


async def test_the_walls_that_stand_are_reported(ward: Ward) -> None:
    every = {str(wall.name) for wall in walls.available()}
    missing: set[str] = set()
    if "no-libseccomp" in ward.options:
        missing = {"network", "processes", "kernel"}
    if "no-landlock" in ward.options:
        missing = {"files", "network"}
    assert set(ward.walls) == every - missing


async def test_without_a_relay_there_is_no_network(ward: Ward) -> None:
    worker = await ward.worker(relay=False)
    try:
        assert ("network" in ward.walls) == ("no-libseccomp" not in ward.options)
        for attack in of_the_network():
            if attack.name == "reconnect" or not refusable(ward, attack):
                continue
            found = await ward.attack(attack.name, worker, **attack.arguments)
            assert found.get("refused") in REFUSED, (attack.id, found)
        found = await ward.attack("connect", worker, port="$relay")
        assert found.get("refused") in REFUSED
    finally:
        worker.kill()
        await ended(worker)


@pytest.mark.parametrize(
    "attack",
    named(
        [
            Attack("reading", "read", {"path": "{secret}"}, "l"),
            Attack("connecting", "connect", {"port": "$other"}, "l"),
            Attack("forking", "fork"),
            Attack("executing", "execute", by="ls"),
            Attack("UDP", "udp", {"port": "$udp"}),
        ]
    ),
)
async def test_threads_made_later_are_confined(ward: Ward, attack: Attack) -> None:
    if not refusable(ward, attack):
        pytest.skip("is for the wall that is missing")
    found = await ward.attack("in_a_thread", name=attack.name, arguments=attack.arguments)
    assert found.get("refused") in REFUSED, found


async def test_nothing_of_the_host_is_open(ward: Ward) -> None:
    """What was open when the walls were put up stays open: so there has to be nothing."""
    secret = os.open(ward.places["secret"], os.O_RDONLY)
    try:
        os.set_inheritable(secret, True)
        worker = await ward.worker()
        try:
            before = (await ward.attack("before", worker))["done"]
        finally:
            worker.kill()
            await ended(worker)
    finally:
        os.close(secret)
    open_ones = {
        int(fd): target for fd, target in before["descriptors"].items() if target != "closed"
    }
    assert all(open_ones.pop(fd) == "/dev/null" for fd in (0, 1, 2))
    others = sorted(open_ones.values())
    sockets = [one for one in others if one.startswith("socket:")]
    assert len(sockets) == 1  # the channel
    assert set(others) - set(sockets) <= {"/dev/null"}
    assert before["threads"] == 1


async def test_nothing_is_imported_behind_the_walls(ward: Ward) -> None:
    """It would fail there: a file that is not granted cannot be opened."""
    before = set((await ward.attack("before"))["done"]["modules"])
    now = set((await ward.attack("modules"))["done"])
    assert now <= before


# ---- the end of a worker -------------------------------------------------------------------------


async def test_another_architectures_system_calls_end_the_process(ward: Ward) -> None:
    if "no-libseccomp" in ward.options or os.uname().machine != "x86_64":
        pytest.skip("there is no filter, or no other architecture")
    for name in ("i386_system_call", "x32_system_call"):
        worker = await ward.worker()
        with pytest.raises(WorkerDied, match="SIGSYS"):
            await ward.attack(name, worker)


async def test_a_crash_leaves_no_memory_behind(ward: Ward) -> None:
    worker = await ward.worker()
    [limit] = [
        line.split()
        for line in Path(f"/proc/{worker.pid}/limits").read_text().splitlines()
        if line.startswith("Max core file size")
    ]
    assert limit[4:6] == ["0", "0"]
    with pytest.raises(WorkerDied, match="SIGABRT"):
        await ward.attack("crash", worker)
    assert await ended(worker) == -signal.SIGABRT  # and not 0x80 more, for a core dump
    assert not list(Path("/").glob("core*"))


async def test_nobody_else_can_look_into_a_worker(ward: Ward) -> None:
    """Its memory is root's: another program of the user cannot trace it."""
    worker = await ward.worker()
    try:
        status = Path(f"/proc/{worker.pid}/status").read_text()
        assert Path(f"/proc/{worker.pid}/mem").stat().st_uid == 0
        assert "NoNewPrivs:\t1" in status
        kept = 1 << 1 | 1 << 3  # files of others
        for line in status.splitlines():
            if line.startswith(("CapEff", "CapPrm", "CapInh", "CapAmb")):
                assert int(line.split()[1], 16) & ~kept == 0, line
    finally:
        worker.kill()
        await ended(worker)
