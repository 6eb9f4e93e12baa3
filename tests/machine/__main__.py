"""`python -m tests.machine`. A file of this name is not imported again by each process that is forked."""

from tests.machine.hunt import main

main()
