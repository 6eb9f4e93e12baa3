"""The exit codes of `restcalc`."""

from enum import IntEnum


class ExitCode(IntEnum):
    DONE = 0
    REFUSED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    NO_CREDIT = 4
    UNAVAILABLE = 5
    ROWS_FAILED = 6
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "The command is done.",
    ExitCode.REFUSED: "The service refused the call, a task or an export failed, or a file can't be written.",
    ExitCode.USAGE: "The command line is wrong. Nothing was sent.",
    ExitCode.NOT_SIGNED_IN: "You are not signed in, or the password or API key is wrong.",
    ExitCode.NO_CREDIT: "The balance, or the spending limit of the API key or task, does not cover the cost.",
    ExitCode.UNAVAILABLE: "The service can't be reached or gets too many requests. Try again later.",
    ExitCode.ROWS_FAILED: "All files are processed, and rows of them have errors, which the results contain.",
    ExitCode.INTERRUPTED: "You interrupted the command with Ctrl-C, or a signal ended `webhooks listen`.",
}
"""What each code means, for the documentation."""

SEVEREST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.NOT_SIGNED_IN,
    ExitCode.UNAVAILABLE,
    ExitCode.NO_CREDIT,
    ExitCode.REFUSED,
    ExitCode.ROWS_FAILED,
    ExitCode.DONE,
)
"""The order in which the codes of several files decide about the code of the command."""
