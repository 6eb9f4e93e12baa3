"""A session with the client that openapi-python-client generates; prints what it saw as JSON.

`python session.py URL EMAIL PASSWORD`, with the generated package `restcalculator` on PYTHONPATH.
"""

import json
import sys
import time
from io import BytesIO

import httpx
from restcalculator import AuthenticatedClient, Client
from restcalculator.api.calculator import process_operation
from restcalculator.api.records import list_records
from restcalculator.api.sign_in import login
from restcalculator.api.tasks import get_task, get_task_results, process_csv
from restcalculator.api.users import get_current_user
from restcalculator.models import (
    Charged,
    ListRecordsFilters,
    Login,
    OperationCall,
    OperationType,
    ProcessCsvBody,
    RecordPage,
    ResultsLink,
    SignedIn,
    Task,
    TaskAccepted,
    TaskStatus,
    User,
)
from restcalculator.types import File

PREFER = "money=string"
POLLS, POLL_SECONDS = 300, 0.2
url, email, password = sys.argv[1:]


def sign_in() -> AuthenticatedClient:
    with Client(url) as anonymous:
        signed_in = login.sync(client=anonymous, body=Login(email=email, password=password, token=True))
    assert isinstance(signed_in, SignedIn)
    return AuthenticatedClient(url, token=signed_in.access_token, headers={"Accept": "application/json"})


def ended(client: AuthenticatedClient, task: Task) -> Task:
    for _ in range(POLLS):
        polled = get_task.sync(task.id, client=client, prefer=PREFER)
        assert isinstance(polled, Task)
        if polled.results is not None:
            return polled
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"The task is {polled.status}.")


with sign_in() as client:
    user = get_current_user.sync(client=client, prefer=PREFER)
    assert isinstance(user, User)
    call = OperationCall(type_=OperationType.SUBTRACTION, arguments=[3, 2])
    charged = process_operation.sync(client=client, body=call, prefer=PREFER)
    assert isinstance(charged, Charged)
    file = File(BytesIO(b'operation,arguments\naddition,"[1, 2]"\n'), "operations.csv", "text/csv")
    accepted = process_csv.sync(client=client, body=ProcessCsvBody(file=file), prefer=PREFER)
    assert isinstance(accepted, TaskAccepted)
    task = ended(client, accepted)
    assert task.status is TaskStatus.COMPLETED
    link = get_task_results.sync(task.id, client=client)
    assert isinstance(link, ResultsLink)
    filters = ListRecordsFilters.from_dict({"amount__gte": "1", "operation__in": "substraction"})
    page = list_records.sync(client=client, fields="amount", filters=filters, prefer=PREFER)
    assert isinstance(page, RecordPage)

print(
    json.dumps(
        {
            "balance": user.balance,
            "amount": charged.amount,
            "left": charged.user_balance,
            "result": charged.result,
            "spent": task.spent,
            "filtered": [record.amount for record in page.records],
            "csv": httpx.get(link.url, trust_env=False).text,
        }
    )
)
