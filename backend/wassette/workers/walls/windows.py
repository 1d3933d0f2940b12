"""The walls on Windows: a job object.

It limits memory, takes clipboard, desktop and other programs' windows away, and lets no other
program be started; a second one, which the host holds, ends the workers when the host ends.

What would confine files and connections (an AppContainer, or a token that is restricted or of low
integrity) also takes away what was granted, unless the granted directories are labelled for it.
That cannot be made soundly without trying it on Windows, so it is not attempted, and those walls
are said not to stand. None of this module has run on Windows yet (docs/security.md says so, too).
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

from .model import Confinement, Name, Wall

if sys.platform == "win32":
    from ctypes import wintypes

    class _Basic(ctypes.Structure):
        _fields_ = (
            ("per_process_user_time", ctypes.c_int64),
            ("per_job_user_time", ctypes.c_int64),
            ("flags", wintypes.DWORD),
            ("minimum_working_set", ctypes.c_size_t),
            ("maximum_working_set", ctypes.c_size_t),
            ("active_processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority_class", wintypes.DWORD),
            ("scheduling_class", wintypes.DWORD),
        )

    class _Extended(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

        _fields_ = (
            ("basic", _Basic),
            ("io", ctypes.c_uint64 * 6),
            ("process_memory", ctypes.c_size_t),
            ("job_memory", ctypes.c_size_t),
            ("peak_process_memory", ctypes.c_size_t),
            ("peak_job_memory", ctypes.c_size_t),
        )

    _EXTENDED_LIMITS, _UI_RESTRICTIONS = 9, 4
    _ACTIVE_PROCESSES, _PROCESS_MEMORY = 0x8, 0x100
    _DIE_ON_UNHANDLED_EXCEPTION, _KILL_ON_CLOSE = 0x400, 0x2000
    _ALL_UI = 0xFF
    _TERMINATE, _SET_QUOTA = 0x0001, 0x0100

    @cache
    def _kernel() -> ctypes.WinDLL:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = wintypes.HANDLE
        kernel.CreateJobObjectW.argtypes = (ctypes.c_void_p, wintypes.LPCWSTR)
        kernel.SetInformationJobObject.argtypes = (
            wintypes.HANDLE,
            ctypes.c_int,
            ctypes.c_void_p,
            wintypes.DWORD,
        )
        kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
        kernel.OpenProcess.restype = wintypes.HANDLE
        kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
        return kernel

    def _check(result: int | None) -> int:
        if not result:
            raise ctypes.WinError(ctypes.get_last_error())
        return result

    def _job(limits: _Extended) -> int:
        job = _check(_kernel().CreateJobObjectW(None, None))
        size = ctypes.sizeof(limits)
        _check(_kernel().SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(limits), size))
        return job

    @cache
    def _leash() -> int:
        """A job that ends everything in it when its last handle is closed, which is ours."""
        limits = _Extended()
        limits.basic.flags = _KILL_ON_CLOSE
        return _job(limits)

    def hold(pid: int) -> None:
        """In the host: have a worker end when this process does, whatever it is doing."""
        process = _check(_kernel().OpenProcess(_TERMINATE | _SET_QUOTA, False, pid))
        try:
            _check(_kernel().AssignProcessToJobObject(_leash(), process))
        finally:
            _kernel().CloseHandle(process)

    def _enter_job(memory: int) -> None:
        limits = _Extended()
        limits.basic.flags = _ACTIVE_PROCESSES | _PROCESS_MEMORY | _DIE_ON_UNHANDLED_EXCEPTION
        limits.basic.active_processes = 1
        limits.process_memory = memory
        job = _job(limits)
        try:
            restrictions = wintypes.DWORD(_ALL_UI)
            size = ctypes.sizeof(restrictions)
            _check(
                _kernel().SetInformationJobObject(
                    job, _UI_RESTRICTIONS, ctypes.byref(restrictions), size
                )
            )
            _check(_kernel().AssignProcessToJobObject(job, _kernel().GetCurrentProcess()))
        finally:
            # It has no name: without a handle the limits cannot be lifted again.
            _kernel().CloseHandle(job)


def available() -> tuple[Wall, ...]:
    """The walls that workers on this machine get, without confining this process."""
    return _walls(None)


def prepare() -> None:
    """Nothing is the same for all workers."""


def confine(to: Confinement) -> tuple[Wall, ...]:
    """Put up the walls around this process, for good; which of them stand."""
    if sys.platform == "win32":
        try:
            _enter_job(to.memory)
        except OSError as error:
            return _walls(f"the system refuses a job object ({error.strerror})")
    return _walls(None)


def _walls(why_no_job: str | None) -> tuple[Wall, ...]:
    missing = {
        Name.FILES: "Wassette has no such wall on Windows yet",
        Name.NETWORK: "Wassette has no such wall on Windows yet",
        Name.PROCESSES: "no program can be started, but those that run could be looked into",
        Name.KERNEL: "Wassette has no such wall on Windows yet",
        Name.PRIVILEGES: "Wassette has no such wall on Windows yet",
    }
    if why_no_job:
        missing[Name.PROCESSES] = why_no_job
    return (
        *(Wall(name, stands=False, why=why, possible=False) for name, why in missing.items()),
        Wall(Name.LIMITS, stands=False, why=why_no_job)
        if why_no_job
        else Wall(Name.LIMITS, stands=True, by="job object (not of open files)"),
    )
