"""The query plans of a user's newest rows, if the user has most rows and the others have the newest ones."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from shared.auth.caller import Caller
from shared.lists import registry as lists
from shared.lists.listing import Listing
from tests.integration.conftest import Server
from tests.integration.test_list_plans import Plans, database_with
from tests.integration.test_list_plans import filled_database as filled_database
from tests.integration.test_list_plans import plans as plans
from tests.support.plans import rows_read

pytestmark = pytest.mark.usefixtures("filled_database")

ROWS, OTHERS_ROWS = 30_000, 10_000
PAGE_ROWS = 20
HEAVY, OTHER = UUID(int=1), UUID(int=2)
CALLER = Caller(HEAVY, "client")
# The dates fall with n, and the ledger's numbers rise with it.
IS_OTHERS = {"ledger": f"n > {ROWS - OTHERS_ROWS}"}
LISTS = (lists.RECORDS, lists.LEDGER, lists.TASKS, lists.EXPORTS)


@pytest.fixture(scope="module")
def filled(server: Server) -> Iterator[str]:
    with database_with(server, "heavy_owner", ROWS, owner_in):
        yield "heavy_owner"


def owner_in(table: str) -> str:
    is_others = IS_OTHERS.get(table, f"n <= {OTHERS_ROWS}")
    return f"CASE WHEN {is_others} THEN '{OTHER}' ELSE '{HEAVY}' END::uuid"


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_newest_page_of_a_heavy_owner_reads_no_row_of_others(
    plans: Callable[[Caller], Plans], listing: Listing
) -> None:
    page = plans(CALLER)(listing, {"page_size": str(PAGE_ROWS)})[0]
    assert rows_read(page, listing.name) <= PAGE_ROWS + 1
