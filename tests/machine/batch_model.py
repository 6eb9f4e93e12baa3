"""A model of the worker in plain Python, commit by commit."""

from collections.abc import Generator
from decimal import Decimal
from typing import Any

from tests.machine.model import (
    ALIASES,
    CONFLICT,
    NOT_FOUND,
    UNFINISHED,
    Caller,
    Expected,
    Model,
    Record,
    Result,
    Rows,
    Steps,
    Task,
    compute,
    used_arguments,
)

CHUNK_ROWS = 2
"""Rows per chunk. Small, so that a small file takes many commits."""
STOPPED = ("cancelled", "out_of_credit")


def cancel(model: Model, name: str, caller: Caller) -> Expected:
    task = model.tasks[name]
    if not _may_see(model, task, caller):
        return NOT_FOUND
    if task.status not in UNFINISHED:
        return CONFLICT
    _audit(model, "cancel", name, caller, {"status": task.status}, {"status": "cancelled"})
    task.end("cancelled")
    return _task_members(task)


def resume(model: Model, name: str, caller: Caller, max_spend: tuple[Decimal | None, ...] = ()) -> Expected:
    """Resume a task. `max_spend` is its new limit, or empty to leave the limit."""
    task = model.tasks[name]
    if not _may_see(model, task, caller):
        return NOT_FOUND
    if task.status not in STOPPED or task.refunded:
        return CONFLICT
    before = {"status": task.status, "max_spend": task.max_spend}
    task.status = "queued" if task.begun else "awaiting_upload"
    task.results, task.by_key = None, caller.session is None
    (task.max_spend,) = max_spend or (task.max_spend,)
    after = {"status": task.status, "max_spend": task.max_spend}
    _audit(model, "resume", name, caller, before, after)
    return Expected(202, _task_members(task).members)


def start(model: Model, name: str, caller: Caller) -> Expected:
    task = model.tasks[name]
    if not _may_see(model, task, caller):
        return NOT_FOUND
    if task.status != "quoted":
        return CONFLICT
    task.status, task.dry_run, task.results, task.done, task.refused = "queued", False, None, 0, {}
    task.by_key = False
    _audit(model, "start", name, caller, {"status": "quoted"}, {"status": task.status})
    return Expected(202, _task_members(task).members)


def send_file(model: Model, name: str, caller: Caller, rows: Rows) -> Steps:
    yield "create_task"
    model.tasks[name] = Task(caller.name, rows, "queued", caller.session is None)
    yield "PUT file"
    model.tasks[name].stored = True
    return Expected(202)


def begin_upload(
    model: Model, name: str, caller: Caller, rows: Rows, dry_run: bool, max_spend: Decimal | None
) -> Expected:
    task = Task(caller.name, rows, "awaiting_upload", dry_run=dry_run, max_spend=max_spend)
    task.cost = Decimal(0) if dry_run else None
    model.tasks[name] = task
    return Expected(201, _task_members(task).members)


def deliver(model: Model, name: str, hurried: bool, redelivered: bool) -> Steps:
    """Yield the steps of a worker that processes a task. A hurried worker has time for one chunk."""
    if (yield from _process(model, name, hurried, redelivered)):
        yield from _write_results_of_ended_task(model, name, redelivered)
    return None


def _write_results_of_ended_task(model: Model, name: str, redelivered: bool) -> Generator[str, None, None]:
    task = model.tasks[name]
    yield "claim_results"
    if task.status in ("completed", *UNFINISHED) or task.results is not None:
        return
    if task.has_worker and not redelivered:
        return
    task.has_worker, ends = True, task.ends
    yield "read results"
    results = _results(model, name)
    yield "end_results"
    if task.ends == ends and task.status not in UNFINISHED:
        task.has_worker = False
        if task.results is None:
            task.results = results


def _process(model: Model, name: str, hurried: bool, redelivered: bool) -> Generator[str, None, bool]:
    """Yield the steps up to the task's end. Return whether the worker then looks for missing results."""
    task = model.tasks[name]
    owner = model.users[task.owner]
    yield "peek_task"
    if task.status not in UNFINISHED:
        return True
    if task.status == "processing" and task.has_worker and not redelivered:
        return False
    if task.status == "queued" and task.begun and _owner_is_busy(model, task):
        return False
    if not task.stored:
        return True
    yield "commit"
    _start(model, task)
    if task.status != "processing":
        return task.status not in UNFINISHED
    row, dry_run = task.done, task.dry_run
    while True:
        yield "fail_task" if owner.deleted else "commit"
        if (task.status, task.done) != ("processing", row):
            return True  # cancelled, or another worker took over
        if owner.deleted:
            task.end("failed")
            return True
        if not owner.active:
            task.end("cancelled")
            return True
        if task.dry_run != dry_run:
            return True
        if dry_run:
            _price_chunk(model, task)
        else:
            _bill_chunk(model, name)
        if task.status != "processing":
            return True
        last = task.done - row < CHUNK_ROWS
        if hurried and (task.done > row or not last):
            row = task.done
            yield "release_task"
            if (task.status, task.done) == ("processing", row):
                task.has_worker = False
                return False
            return True
        if last:
            break
        row = task.done
    if dry_run:
        yield "complete_task"
        if task.status == "processing" and task.dry_run:
            task.end("quoted")
        return True
    yield "read results"
    results = _results(model, name)
    yield "complete_task"
    if task.status != "processing":
        return True
    task.end("completed")
    task.results = results
    return False


def _start(model: Model, task: Task) -> None:
    if task.status in UNFINISHED:
        task.status = "queued" if _owner_is_busy(model, task) else "processing"
        task.has_worker = task.status == "processing"
        task.begun = True


def _owner_is_busy(model: Model, task: Task) -> bool:
    others = [other for other in model.tasks.values() if other.owner == task.owner and other is not task]
    return any(other.status == "processing" for other in others)


def _bill_chunk(model: Model, name: str) -> None:
    """Bill CHUNK_ROWS rows, or the rows before the first one that balance or spending limit do not cover."""
    task = model.tasks[name]
    api_key = model.api_keys[task.owner] if task.by_key else None
    owner, spent, billed = model.users[task.owner], Decimal(0), 0
    for written, arguments in task.rows[task.done : task.done + CHUNK_ROWS]:
        operation = ALIASES.get(written, written)
        arguments = used_arguments(operation, arguments)
        cost, result = model.prices.get(operation), compute(operation, arguments)
        if result is None:
            task.refused[task.done + 1] = written, arguments
        elif cost is None:
            task.refused[task.done + 1] = operation, arguments
        elif (
            owner.balance < spent + cost
            or (api_key and api_key.limit < api_key.spent + spent + cost)
            or _exceeds_max_spend(task, spent + cost, cost)
        ):
            task.end("out_of_credit")
            break
        else:
            spent, billed = spent + cost, billed + 1
            rows, price = task.operations.get(operation, (0, Decimal(0)))
            task.operations[operation] = rows + 1, price + cost
            model.count_usage(task.owner, operation, cost, rows=1)
            balance = owner.balance - spent
            record = Record(task.owner, operation, arguments, result, cost, balance, name, task.done + 1)
            record.paid = (task.owner, operation, cost)
            model.records[f"{name} row {task.done + 1}"] = record
        task.done += 1
    if billed:
        owner.move("batch", -spent)
        task.spent += spent
        if api_key:
            api_key.spent += spent


def _exceeds_max_spend(task: Task, more: Decimal, cost: Decimal) -> bool:
    """Whether the task would spend more than its limit. A free row never does."""
    return task.max_spend is not None and cost > 0 and task.spent + more > task.max_spend


def _price_chunk(model: Model, task: Task) -> None:
    for written, arguments in task.rows[task.done : task.done + CHUNK_ROWS]:
        operation = ALIASES.get(written, written)
        arguments, cost = used_arguments(operation, arguments), model.prices.get(operation)
        task.done += 1
        if compute(operation, arguments) is None:
            task.refused[task.done] = written, arguments
        elif cost is None:
            task.refused[task.done] = operation, arguments
        else:
            assert task.cost is not None
            task.cost += cost


def _results(model: Model, name: str) -> list[Result]:
    written = list[Result]()
    for row in range(1, model.tasks[name].done + 1):
        if refused := model.tasks[name].refused.get(row):
            written.append((row, *refused, None, None, None, True))
        elif not model.tasks[name].dry_run:
            it = model.records[f"{name} row {row}"]
            written.append((row, it.operation, it.arguments, it.result, it.amount, it.balance, False))
    return written


def _may_see(model: Model, task: Task, caller: Caller) -> bool:
    return caller.name == task.owner or model.users[caller.name].role == "admin"


def _audit(
    model: Model,
    action: str,
    name: str,
    caller: Caller,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    """Add an entry to the audit log if the task is another user's, so that the caller is an admin."""
    if caller.name != model.tasks[name].owner:
        model.audit(action, ("task", name), before, after, admin=caller.name)


def _task_members(task: Task) -> Expected:
    members = {
        "status": task.status,
        "rows_done": task.done,
        "rows_failed": len(task.refused),
        "spent": task.spent,
        "cost": task.cost,
    }
    return Expected(200, members)
