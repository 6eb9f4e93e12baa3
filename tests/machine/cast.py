"""Who and what there is in one run of the machine: the model's names, and the service's ids for them."""

from collections.abc import Collection, Sequence
from itertools import count

from tests.machine.model import Model

ADMIN = "admin@example.com 1"


class Cast:
    """The model, and what is needed to ask the service of those that it names."""

    def __init__(self) -> None:
        self.model = Model()
        self.ids = dict[str, str]()
        self.tokens = dict[str, str]()
        """By the id of whose it is."""
        self._numbers = count(1)

    def new(self, kind: str) -> str:
        """A name that nothing has."""
        return f"{kind} {next(self._numbers)}"

    def person(self, number: int) -> str:
        """Somebody, deleted or not; the admin among them."""
        return list(self.model.users)[number % len(self.model.users)]

    def client(self, number: int) -> str | None:
        return _one_of([name for name in self.model.users if name != ADMIN], number)

    def task(self, number: int, statuses: Collection[str] = ()) -> str | None:
        """One of those in these states, if there is any."""
        tasks = self.model.tasks
        return _one_of([it for it in tasks if tasks[it].status in statuses] or list(tasks), number)

    def record(self, number: int) -> str | None:
        """A record whose id was told; nobody was told that of a call that got no answer."""
        return _one_of([name for name in self.model.records if name in self.ids], number)

    def names(self) -> dict[str, str]:
        """By id."""
        return {service_id: name for name, service_id in self.ids.items()}


def _one_of(names: Sequence[str], number: int) -> str | None:
    return names[number % len(names)] if names else None
