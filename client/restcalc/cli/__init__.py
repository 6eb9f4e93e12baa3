"""The command line `restcalc`."""

import sys


def main() -> None:
    """Run the command line of this process."""
    from restcalc.cli.running import run

    sys.exit(run())
