"""Run a program under the limits of a systemd unit, without systemd: `python confined.py UNIT PROGRAM …`.

What the kernel enforces of it for one process is put in force as systemd does it: the filter of system calls and of address
families (libseccomp, which systemd brings), no memory that is writable and executable, no core, no new privileges, the umask.
Folders and namespaces are systemd's own business.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path

UNITS = Path(__file__).parents[1] / "config" / "systemd"
CONFINED = Path(__file__)

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
EQUAL = 4  # SCMP_CMP_EQ
PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, REFUSE_EXEC_GAIN = 38, 65, 1


class Compare(ctypes.Structure):
    """libseccomp's scmp_arg_cmp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def read_unit(path: Path) -> dict[str, list[str]]:
    """Setting to its values, as often as it stands there."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def calls_of(group: str) -> set[str]:
    """The system calls of one of systemd's groups."""
    said = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True).stdout
    calls: set[str] = set()
    for line in said.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            calls |= calls_of(name)
        elif name and not name.startswith("#"):
            calls.add(name)
    return calls


def allowed(filters: list[str]) -> set[str]:
    """What is left when each line has allowed (or with ``~`` taken away) its groups. systemd always lets a program start."""
    calls = calls_of("@default")
    for line in filters:
        named = [calls_of(name) if name.startswith("@") else {name} for name in line.removeprefix("~").split()]
        calls = calls.difference(*named) if line.startswith("~") else calls.union(*named)
    return calls | {"execve"}


def confine(unit: dict[str, list[str]]) -> None:
    """Put it all in force for this process and what becomes of it."""
    calls = allowed(unit["SystemCallFilter"])
    families = [getattr(socket, name) for name in unit["RestrictAddressFamilies"][0].split()]
    os.umask(int(unit["UMask"][0], 8))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value, wanted in (
        (PR_SET_NO_NEW_PRIVS, 1, unit["NoNewPrivileges"] == ["yes"]),
        (PR_SET_MDWE, REFUSE_EXEC_GAIN, unit["MemoryDenyWriteExecute"] == ["yes"]),
    ):
        if wanted and libc.prctl(option, value, 0, 0, 0) and ctypes.get_errno() != errno.EINVAL:  # an older kernel
            raise OSError(ctypes.get_errno(), f"prctl {option}")
    _filter(calls, families)


def _filter(calls: set[str], families: list[int]) -> None:
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_rule_add_array.argtypes = [
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.POINTER(Compare),
    ]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    context = seccomp.seccomp_init(ctypes.c_uint32(REFUSE))

    def allow(name: str, *conditions: Compare) -> None:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # else this machine has no such call
            array = (Compare * len(conditions))(*conditions)
            if seccomp.seccomp_rule_add_array(context, ALLOW, number, len(conditions), array):
                raise OSError(f"no rule for {name}")

    for name in calls - {"socket"}:
        allow(name)
    for family in families:
        allow("socket", Compare(0, EQUAL, family, 0))
    if seccomp.seccomp_load(context):
        raise OSError("the filter could not be loaded")


if __name__ == "__main__":
    confine(read_unit(Path(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])
