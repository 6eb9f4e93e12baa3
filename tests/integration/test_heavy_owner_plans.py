"""The query plans of a user's newest rows, if the user has most rows and the others have the newest ones."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from shared.auth.caller import Caller
from shared.database import dispose_connections
from shared.lists import registry as lists
from shared.lists.listing import Listing
from tests.integration.conftest import Server, use
from tests.integration.test_list_plans import FILL, Plans
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
    name = "heavy_owner"
    server.maintenance.run(f"CREATE DATABASE {name} TEMPLATE {server.template}")
    with server.connect(name) as connection:
        for statement in FILL:
            table = statement.split()[2]
            is_others = IS_OTHERS.get(table, f"n <= {OTHERS_ROWS}")
            owner = f"CASE WHEN {is_others} THEN '{OTHER}' ELSE '{HEAVY}' END::uuid"
            connection.run(statement.format(rows=ROWS, owner=owner))
        connection.run("VACUUM ANALYZE")
    yield name
    server.maintenance.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def filled_database(server: Server, filled: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    use(monkeypatch, server.url(filled))
    yield
    dispose_connections()


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_newest_page_of_a_heavy_owner_reads_no_row_of_others(
    plans: Callable[[Caller], Plans], listing: Listing
) -> None:
    page = plans(CALLER)(listing, {"page_size": str(PAGE_ROWS)})[0]
    assert rows_read(page, listing.name) <= PAGE_ROWS + 1
