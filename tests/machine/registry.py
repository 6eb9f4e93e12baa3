"""The users, records and tasks of one run: their names in the model and their ids in the service."""

from collections.abc import Collection, Sequence
from itertools import count

from tests.machine.model import ADMIN, Caller, Model


class Registry:
    """The model, with the ids and access tokens that requests to the service need."""

    def __init__(self) -> None:
        self.model = Model()
        self.ids = dict[str, str]()
        self.tokens = dict[str, str]()
        """Access tokens by session id."""
        self.secrets = dict[str, str]()
        """API keys by the name of their user."""
        self._numbers = count(1)

    def new(self, kind: str) -> str:
        """Return an unused name."""
        return f"{kind} {next(self._numbers)}"

    def user(self, number: int) -> str:
        """Return the name of a user. Includes deleted users and the admin."""
        return list(self.model.users)[number % len(self.model.users)]

    def caller(self, who: str, by_key: bool = False, session: int | None = None) -> Caller:
        """Return a user with their API key, if they have one and `by_key`, or with a session.

        Args:
            session: the number of the session, which may have ended; None for the newest valid one.
        """
        if by_key and who in self.secrets:
            return Caller(who, None)
        known = self.sessions(who)
        if session is not None:
            return Caller(who, known[session % len(known)])
        valid = [name for name in known if self.model.users[who].sessions[name]]
        return Caller(who, (valid or known)[-1])

    def sessions(self, who: str) -> list[str]:
        """Return a user's sessions with a known token. It is unknown if the sign-in got no response."""
        return [name for name in self.model.users[who].sessions if self.ids[name] in self.tokens]

    def bearer(self, caller: Caller) -> str:
        """Return the caller's access token or API key."""
        return self.tokens[self.ids[caller.session]] if caller.session else self.secrets[caller.name]

    def client(self, number: int) -> str | None:
        return _one_of([name for name in self.model.users if name != ADMIN], number)

    def task(self, number: int, statuses: Collection[str] = ()) -> str | None:
        """Return a task, preferably with one of these statuses. None if no task exists."""
        tasks = self.model.tasks
        return _one_of([it for it in tasks if tasks[it].status in statuses] or list(tasks), number)

    def record(self, number: int) -> str | None:
        """Return a record with a known id. The id is unknown if the call got no response."""
        return _one_of([name for name in self.model.records if name in self.ids], number)

    def names(self) -> dict[str, str]:
        """Return the names by id."""
        return {service_id: name for name, service_id in self.ids.items()}


def _one_of(names: Sequence[str], number: int) -> str | None:
    return names[number % len(names)] if names else None
