"""The query plan of a small file's records, if other users have large files."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from shared.auth.caller import Caller
from shared.lists import registry as lists
from tests.integration.test_list_plans import Plans
from tests.integration.test_list_plans import plans as plans
from tests.support.plans import steps

USER, OTHER = UUID(int=1), UUID(int=2)
LARGE_FILES, LARGE, SMALL_FILES, SMALL = 5, 40_000, 1_000, 10
FILL = (
    f"""INSERT INTO users (id, email, password_hash, role, balance)
        SELECT id, id || '@example.com', '', 'client', 0
        FROM unnest(ARRAY['{USER}', '{OTHER}']::uuid[]) id""",
    f"""INSERT INTO records (id, user_id, operation_id, amount, user_balance, date, task_id, task_row)
        SELECT gen_random_uuid(), CASE WHEN file <= {LARGE_FILES} THEN '{OTHER}' ELSE '{USER}' END::uuid,
               gen_random_uuid(), 1, 0, now() + file * interval '1 minute',
               lpad(to_hex(file), 32, '0')::uuid, row
        FROM generate_series(1, {LARGE_FILES + SMALL_FILES}) file,
             generate_series(1, CASE WHEN file <= {LARGE_FILES} THEN {LARGE} ELSE {SMALL} END) row""",
    # A sample of 300 records, as 30,000 of many millions.
    "SET default_statistics_target = 1",
    "ANALYZE records",
)


def test_records_of_a_small_file_are_found_without_its_users_other_records(
    sql: Callable[..., list[list[Any]]], plans: Callable[[Caller], Plans]
) -> None:
    for statement in FILL:
        sql(statement)
    file = UUID(int=LARGE_FILES + SMALL_FILES // 2)
    page = plans(Caller(USER, "client"))(lists.RECORDS, {"task_id": str(file)})[0]
    read = [step["Actual Rows"] + step.get("Rows Removed by Filter", 0) for step in steps(page)]
    assert max(read) == SMALL
