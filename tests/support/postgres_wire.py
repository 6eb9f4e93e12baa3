"""A socket that counts the round trips on it."""

import socket
from itertools import pairwise
from typing import Any

import pytest

from shared.database.url import PostgresUrl


class Wire(socket.socket):
    """Notes whose turn it is: the client's, which sends, or the server's, which is waited for."""

    turns: list[str]

    def send(self, *arguments: Any) -> int:
        self.turns.append("sent")
        return super().send(*arguments)

    def recv_into(self, *arguments: Any) -> int:
        self.turns.append("received")
        return super().recv_into(*arguments)


def tap(patch: pytest.MonkeyPatch) -> list[str]:
    """The turns on every connection to Postgres that is opened from now on."""
    turns, open_socket = list[str](), PostgresUrl.open_socket

    def tapped(url: PostgresUrl, timeout: float) -> Wire:
        wire = Wire(fileno=open_socket(url, timeout).detach())
        wire.settimeout(timeout)
        wire.turns = turns
        return wire

    patch.setattr(PostgresUrl, "open_socket", tapped)
    return turns


def round_trips(turns: list[str]) -> int:
    """How often the client sent and then waited."""
    return sum(pair == ("sent", "received") for pair in pairwise(turns))
