"""Child processes that cannot outlive this one, not even when it is killed."""

import ctypes
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
# The kernel sends the signal when the THREAD that forked ends, and the threads that serve requests
# come and go: every child is therefore forked by one thread that lives as long as the process.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, **options):
    """Starts a child that is killed when this process ends."""
    options["preexec_fn"] = _die_with_parent
    return _forker.submit(subprocess.Popen, command, **options).result()


def kill(process):
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()


def end_with(parent):
    """Ends this process soon after its parent has gone, be that killed."""

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
