"""The whole service with its real event source and two workers, as `make up` starts it."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from uuid import UUID, uuid4

from deploy.redrive import dead_letter_queue, redrive
from localstack.cloud import Cloud
from localstack.stack import Stack
from localstack.stack_settings import Settings
from restcalc import Client
from restcalc.models import Task
from tests.support.batch.harness import count_messages
from tests.support.data_folder import data_folder
from tests.support.http_client import PASSWORD
from tests.support.stack_database import reset_rate_limits, run_sql

ADMIN = ("defaultadmin@admin.as", "adminpass")


class RunningService:
    """A running stack, and the requests that tests send to it."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.url = stack, stack.url
        self.cloud = Cloud.connect(stack.environment)
        self.queue = stack.environment["QUEUE_URL"]
        self.dead_letters = dead_letter_queue(self.cloud.sqs, self.queue)
        self.admin = Client(self.url, api_key="")
        self._clients = [self.admin]
        self.admin.login(*ADMIN)

    @classmethod
    @contextmanager
    def prepared(cls) -> Iterator["RunningService"]:
        with data_folder() as folder:
            settings = Settings(
                port=0, edge_port=0, data_dir=folder, gateway_workers=2, batch_workers=2, batch_retry=0
            )
            with Stack(settings) as stack:
                running = cls(stack)
                yield running
                running.close()

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.cloud.close()

    def client(self, credit: int = 10**9) -> "Account":
        """Create an account with this credit in addition to the opening credit."""
        account = Account(self.url)
        self._clients.append(account)
        if credit:
            self.admin.grant_credit(account.id, credit, "test")
        return account

    def count(self, queue: str) -> int:
        """Return the number of messages in a queue."""
        return count_messages(self.cloud, queue)

    def redrive(self) -> int:
        return redrive(self.cloud.sqs, self.queue, wait_seconds=0)

    def reset_upload_limit(self, account: "Account") -> None:
        """Reset the upload limit of this user."""
        run_sql(self.stack, "DELETE FROM rate_limits WHERE bucket = 'upload:' || :id", id=account.id)

    def reset_rate_limits(self) -> None:
        """Reset all rate limits."""
        reset_rate_limits(self.stack)


class Account(Client):
    """The client of a new user, who is signed in. It sends no call again."""

    def __init__(self, url: str) -> None:
        super().__init__(url, api_key="", retries=0)
        self.email = f"{uuid4().hex}@batch.example"
        self.login(self.email, PASSWORD)
        self.id = self.get_current_user().id

    def begin(self, content: bytes) -> UUID:
        """Create a task, upload its file, and return the task's id."""
        return self.upload(BytesIO(content), filename="file.csv").id

    def ended(self, task_id: UUID) -> Task | None:
        """Return the task if it has ended, otherwise None."""
        task = self.get_task(task_id)
        return task if task.finished_at else None
