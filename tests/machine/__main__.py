"""Entry point of `python -m tests.machine`. Forked processes do not import a `__main__` file again."""

from tests.machine.run import main

main()
