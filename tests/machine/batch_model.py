"""What the worker should do with a message, in plain Python, commit by commit."""

from collections.abc import Generator
from decimal import Decimal

from tests.machine.model import (
    ALIASES,
    CONFLICT,
    NOT_FOUND,
    NOT_SIGNED_IN,
    Expected,
    Model,
    Record,
    Result,
    Task,
    compute,
)

CHUNK_ROWS = 4
"""Few, so that a small file is many commits."""
GOING_ON = ("awaiting_upload", "queued", "processing")


def cancel(model: Model, task: Task, by: str) -> Expected:
    if refusal := _refusal(model, task, by):
        return refusal
    if task.status not in GOING_ON:
        return CONFLICT
    task.status = "cancelled"
    return _as_told(task)


def resume(model: Model, task: Task, by: str) -> Expected:
    if refusal := _refusal(model, task, by):
        return refusal
    if task.status not in ("cancelled", "out_of_credit"):
        return CONFLICT
    task.status = "queued" if task.begun else "awaiting_upload"
    return Expected(202, _as_told(task).members)


def deliver(model: Model, name: str, hurried: bool) -> Generator[str, None, None]:
    """A worker's steps with a task. Each is named, and done when the next one is asked for.

    A worker that is hurried has time for one chunk.
    """
    task = model.tasks[name]
    owner = model.users[task.owner]
    if not task.stored:
        return
    yield "commit"
    _start(model, task)
    if task.status != "processing":
        return
    row = task.done
    while True:
        yield "fail_task" if owner.deleted else "commit"
        if (task.status, task.done) != ("processing", row):
            return  # cancelled, or another worker was here
        if owner.deleted:
            task.status = "failed"
            return
        _bill_chunk(model, name)
        if task.status != "processing":
            return
        last = task.done - row < CHUNK_ROWS
        if hurried and (task.done > row or not last):
            return
        if last:
            break
        row = task.done
    yield "read results"
    results = _results(model, name)
    yield "complete_task"
    if task.status == "processing":
        task.status, task.results = "completed", results


def _start(model: Model, task: Task) -> None:
    if task.status in GOING_ON:
        others = [other for other in model.tasks.values() if other.owner == task.owner and other is not task]
        task.status = "queued" if any(it.status == "processing" for it in others) else "processing"
        task.begun = True


def _bill_chunk(model: Model, name: str) -> None:
    """Bill so many rows, or those before the first that can't be paid."""
    task = model.tasks[name]
    owner, spent, billed = model.users[task.owner], Decimal(0), 0
    for operation, arguments in task.rows[task.done : task.done + CHUNK_ROWS]:
        operation = ALIASES.get(operation, operation)
        cost = model.prices.get(operation)
        if cost is None or compute(operation, arguments) is None:
            task.failed += 1
        elif owner.balance < spent + cost:
            task.status = "out_of_credit"
            break
        else:
            spent, billed = spent + cost, billed + 1
            made = Record(task.owner, operation, cost, owner.balance - spent, name, task.done + 1)
            model.records[f"{name} row {task.done + 1}"] = made
        task.done += 1
    if billed:
        owner.move("batch", -spent)
        task.spent += spent


def _results(model: Model, name: str) -> list[Result]:
    written = list[Result]()
    for row in range(1, model.tasks[name].done + 1):
        record = model.records.get(f"{name} row {row}")
        written.append((row, record.amount, record.balance) if record else (row, None, None))
    return written


def _refusal(model: Model, task: Task, by: str) -> Expected | None:
    user = model.users[by]
    if user.deleted:
        return NOT_SIGNED_IN
    return None if by == task.owner or user.role == "admin" else NOT_FOUND


def _as_told(task: Task) -> Expected:
    told = {"status": task.status, "rows_done": task.done, "rows_failed": task.failed, "spent": task.spent}
    return Expected(200, told)
