"""Build the console for `make up`, if it is missing or outdated: `python -m deploy.build_console`.

The service works without the console, so this command also succeeds without npm, after a failed build and
after its time limit. It then prints what to do.
"""

import os
import shutil
import signal
import subprocess
from contextlib import suppress

from deploy.environment import ROOT

PAGE = "build/console/index.html"
"""The target of the Makefile that builds the console."""
TIMEOUT_SECONDS = 60


def main() -> None:
    if _make("--question").wait() == 0:
        return
    if shutil.which("npm") is None:
        print("The console is missing or outdated. To build it, install Node 20.19 or newer.")
    elif not _build():
        print(f"The console was not built, and the service starts without it. `make {PAGE}` shows the cause.")


def _build() -> bool:
    """Build the console and return whether this succeeded within the time limit."""
    process = _make("--silent")
    try:
        return process.wait(TIMEOUT_SECONDS) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _make(option: str) -> "subprocess.Popen[bytes]":
    # A session of its own, so that the time limit ends npm's processes too.
    command = ["make", "--no-print-directory", option, PAGE]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


if __name__ == "__main__":
    main()
