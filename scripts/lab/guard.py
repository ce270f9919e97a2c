"""Become another program that does not outlive the process which asked for it.

    python -I -S guard.py PARENT_PID SIGNAL USER PROGRAM [ARGUMENT ...]

Started between a launcher and a server (`scripts.lab.servers`). USER is a name to change to, or `-`. On Linux the kernel
is asked to send SIGNAL when the launching thread ends; elsewhere a small child watches the parent. Then this process
becomes PROGRAM, so its pid is the server's. Run by path and without `site`: it starts in a few milliseconds.
"""

import ctypes
import os
import pwd
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
WATCH_EVERY_S = 0.5


def main(arguments: list[str]) -> None:
    parent, number, user, *command = arguments
    if user != "-":
        become(user)  # first: the kernel forgets the death signal when the user changes
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    elif os.fork() == 0:
        watch(int(parent), int(number))
    if os.getppid() != int(parent):  # it died before the kernel was asked
        sys.exit(1)
    os.execv(command[0], command)


def become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ["HOME"] = "/"


def watch(parent: int, number: int) -> None:
    """In a child of the server-to-be: stop the server when the parent is gone, and end with the server."""
    server = os.getppid()
    os.closerange(3, 256)  # the lock on the data is the server's
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while os.getppid() == server:
        if not alive(parent):
            os.kill(server, number)
            break
        time.sleep(WATCH_EVERY_S)
    os._exit(0)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
