"""The system calls that a worker needs once it is confined: everything else is refused.

An allow list, so that what a later kernel adds is refused too. It is small because little runs in
a worker: wasmtime's files (through openat2 and descriptors), its threads and memory, Python's
interpreter, and one socket to the host. What is not here does not exist for a worker (ENOSYS);
libraries take that as they take an older kernel.

Left out on purpose, with what they would reach:

    execve, fork, clone without a thread             new programs
    kill, ptrace, process_vm_*, pidfd_*, kcmp        other processes
    shm*, sem*, msg*, mq_*                           their shared memory, unknown to Landlock
    chmod, chown, setxattr, truncate, inotify        files not granted, unknown to Landlock too
    open_by_handle_at, mount, unshare, setns, chroot files without their path, other worlds
    bind, listen, sendmsg                            the network; descriptors; TCP Fast Open, which
                                                     is a connect that Landlock does not see
    io_uring                                         all that is refused here, by another way
    bpf, perf_event_open, userfaultfd, keyctl        holes in kernels
    prctl, prlimit to set, capset                    what was taken away
"""

from __future__ import annotations

# Allowed whatever the arguments. Names that a machine does not have are passed over.
ALWAYS = (
    # memory, threads, signals of its own
    "brk", "mmap", "munmap", "mprotect", "mremap", "madvise", "membarrier", "riscv_flush_icache",
    "futex", "set_robust_list", "rseq", "gettid", "getpid", "getppid", "sched_yield",
    "sched_getaffinity", "getcpu", "exit", "exit_group", "restart_syscall", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
    # time, randomness, what there is to know of itself and the machine
    "clock_gettime", "clock_getres", "clock_nanosleep", "gettimeofday", "nanosleep", "time",
    "getrandom", "getrusage", "times", "uname", "sysinfo", "getuid", "geteuid", "getgid", "getegid",
    # descriptors
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
    "pwritev2", "lseek", "close", "close_range", "dup", "dup2", "dup3", "poll", "ppoll", "select",
    "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
    "eventfd2", "recvfrom", "shutdown", "getsockname", "getpeername", "getsockopt",
    # files, of which Landlock has the say
    "open", "openat", "openat2", "stat", "lstat", "fstat", "newfstatat", "statx", "access",
    "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "mkdirat", "unlinkat",
    "renameat", "renameat2", "linkat", "symlinkat", "utimensat", "ftruncate", "fallocate",
    "fadvise64", "fsync", "fdatasync",
)  # fmt: skip

# What the runtime's HTTP sets on a connection.
SOCKET_OPTIONS = (
    (1, 9),  # SOL_SOCKET, SO_KEEPALIVE
    (1, 13),  # SOL_SOCKET, SO_LINGER
    (6, 1),  # IPPROTO_TCP, TCP_NODELAY
)

FCNTL = (0, 1, 2, 3, 4, 1030)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC. Not F_SETOWN, whose signals go to
any process, and no leases, locks or notifications."""

IOCTL = (0x5401, 0x5421, 0x5451, 0x541B)
"""TCGETS (is it a terminal?), FIONBIO, FIOCLEX, FIONREAD. Not TIOCSTI, which types into one."""

PRCTL = (15, 16, 0x53564D41)
"""PR_SET_NAME, PR_GET_NAME, PR_SET_VMA (names of memory)."""

CLONE_THREAD = 0x00010000
CLONE_OTHERS = 0x7E022000
"""CLONE_PTRACE, and new namespaces: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""

SOCK_STREAM, SOCK_FLAGS = 1, 0o4000 | 0o2000000  # SOCK_NONBLOCK, SOCK_CLOEXEC
AF_INET, IPPROTO_TCP = 2, 6
