"""Build the console for `make up`, if it is missing or outdated: `python -m deploy.console`.

The service works without the console. Without npm, after a failed build or after a minute, this command prints
what to do and succeeds.
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
    if (
        subprocess.run(["make", "--question", PAGE], cwd=ROOT, capture_output=True, check=False).returncode
        == 0
    ):
        return
    if shutil.which("npm") is None:
        print("The console is missing or outdated. Install Node 20.19 or newer, from which it is built.")
    elif not _build():
        print(f"The console was not built, and the service starts without it. `make {PAGE}` shows the cause.")


def _build() -> bool:
    """Build the console and return whether this succeeded within the time limit."""
    # A session of its own, so that the time limit ends npm's processes too.
    process = subprocess.Popen(["make", "--silent", PAGE], cwd=ROOT, start_new_session=True)
    try:
        return process.wait(TIMEOUT_SECONDS) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    main()
