"""The base classes of the models."""

from __future__ import annotations

import msgspec


class Model(msgspec.Struct, frozen=True):
    """A response of the service."""


class ReplayableModel(Model, frozen=True, dict=True):
    """The response to a call with an idempotency key."""

    @property
    def replayed(self) -> bool:
        """Whether it is the stored response to an earlier call with the same key: this call did nothing.

        The earlier call may be one whose response was lost, and which the client itself repeated. `==` and
        `to_json` ignore this property.
        """
        return bool(self.__dict__.get("is_replay"))

    def mark_as_replay(self) -> None:
        """Let `replayed` be true."""
        self.__dict__["is_replay"] = True
