"""Ctrl-C while a command still imports ends it at once: this is imported before all else.

An import that is interrupted raises anything, or goes on without what it was to load.
"""

import os
import signal
import sys
import threading

# As long as `python -m` looks for the module that it runs.
_IS_COMMAND = sys.argv[:1] == ["-m"] and threading.current_thread() is threading.main_thread()

if _IS_COMMAND and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
