"""Runs a command and prints what it took: `python -I -S measure.py STDOUT COMMAND...`.

A process of its own, and a small one: the peak that the kernel reports for a process is at least
the memory of the one that started it, which for the benchmark itself would be more than what is
to be measured.
"""

import os
import sys
import time


def main() -> None:
    output, *command = sys.argv[1:]
    started = time.monotonic_ns()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)
        os.execvp(command[0], command)
    # The usage is that of the command and of all children that it waited for.
    _, status, usage = os.wait4(child, 0)
    wall = (time.monotonic_ns() - started) / 1e9
    kilobyte = 1 if sys.platform == "darwin" else 1024
    print(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * kilobyte)
    sys.exit(os.waitstatus_to_exitcode(status) != 0)


main()
