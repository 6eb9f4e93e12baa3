"""The query plans of a user's newest rows, if the user has most rows and the others have the newest ones.

The others are one user, or many with few rows each, for whom it would be as good to sort the rows.
"""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from shared import database
from shared.auth.caller import Caller
from shared.lists import registry as lists
from shared.lists.listing import Listing
from shared.lists.read_page import read_page
from tests.integration.conftest import Server
from tests.integration.test_list_plans import Plans, database_with
from tests.integration.test_list_plans import filled_database as filled_database
from tests.integration.test_list_plans import plans as plans
from tests.support.list_reader import Reader
from tests.support.plans import rows_read

pytestmark = pytest.mark.usefixtures("filled_database")

ROWS, OTHERS_ROWS = 30_000, 10_000
OTHERS = {"one other": 1, "many others": 4_000}
PAGE_ROWS = 20
HEAVY = UUID(int=1)
CALLER = Caller(HEAVY, "client")
# The dates fall with n, and the ledger's numbers rise with it.
IS_OTHERS = {"ledger": f"n > {ROWS - OTHERS_ROWS}"}
LISTS = (lists.RECORDS, lists.LEDGER, lists.TASKS, lists.EXPORTS)


@pytest.fixture(scope="module", params=OTHERS.values(), ids=OTHERS.keys())
def filled(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    def owner_in(table: str) -> str:
        is_others = IS_OTHERS.get(table, f"n <= {OTHERS_ROWS}")
        other = f"lpad(to_hex(2 + n % {request.param}), 32, '0')"
        return f"CASE WHEN {is_others} THEN {other} ELSE '{HEAVY}' END::uuid"

    name = f"heavy_owner_{request.param}"
    with database_with(server, name, ROWS, owner_in):
        yield name


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_newest_page_of_a_heavy_owner_reads_no_row_of_others(
    plans: Callable[[Caller], Plans], listing: Listing
) -> None:
    page = plans(CALLER)(listing, {"page_size": str(PAGE_ROWS)})[0]
    assert rows_read(page, listing.name) <= PAGE_ROWS + 1


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_pages_by_cursor_and_number_of_a_heavy_owner_are_not_sorted(
    plans: Callable[[Caller], Plans], listing: Listing
) -> None:
    cursor = Reader(CALLER).page(listing)["next_cursor"]
    for query in ({"cursor": cursor}, {"page": "3"}):
        page = plans(CALLER)(listing, {"page_size": str(PAGE_ROWS), **query})[0]
        assert rows_read(page, listing.name) <= 3 * PAGE_ROWS + 1, query


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_page_of_any_owner_is_planned_five_times_at_most(listing: Listing) -> None:
    for run in range(4):
        for owner in (HEAVY, UUID(int=2), UUID(int=2**100)):
            read_page(listing, f"page_size={PAGE_ROWS + run}", Caller(owner, "client"))
    counted = database.query(
        "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement LIKE :page",
        {"page": f"%FROM {listing.name}%"},
    )
    assert counted == [{"custom_plans": 5, "generic_plans": 7}]
