"""Functions that a schedule invokes. They have no `Api`."""

from shared import interpreter

interpreter.end_imports()
