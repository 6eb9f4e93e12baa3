"""A socket that records its round trips."""

import socket
from itertools import pairwise
from typing import Any

import pytest

from shared.database.url import PostgresUrl


class RecordingSocket(socket.socket):
    """Record each turn: `sent` when the client sends, `received` when it waits for the server."""

    turns: list[str]

    def send(self, *arguments: Any) -> int:
        self.turns.append("sent")
        return super().send(*arguments)

    def recv_into(self, *arguments: Any) -> int:
        self.turns.append("received")
        return super().recv_into(*arguments)


def record_turns(patch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that receives the turns of every later connection to Postgres."""
    turns, open_socket = list[str](), PostgresUrl.open_socket

    def open_recorded_socket(url: PostgresUrl, timeout: float) -> RecordingSocket:
        recording = RecordingSocket(fileno=open_socket(url, timeout).detach())
        recording.settimeout(timeout)
        recording.turns = turns
        return recording

    patch.setattr(PostgresUrl, "open_socket", open_recorded_socket)
    return turns


def round_trips(turns: list[str]) -> int:
    """Count how often the client sent and then waited."""
    return sum(pair == ("sent", "received") for pair in pairwise(turns))
