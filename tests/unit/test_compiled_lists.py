"""The SQL of lists that is compiled in advance, and when SQLAlchemy is imported instead."""

import subprocess
import sys
from uuid import UUID

import pytest

from deploy import compile_lists
from deploy.environment import ROOT
from shared.auth.caller import Caller
from shared.lists import sql, statements
from shared.lists.listing import Listing
from shared.lists.query import parse
from shared.lists.read_page import split_query
from shared.lists.registry import LISTS, RECORDS
from shared.lists.shape import Shape
from shared.lists.sources import SOURCES

CALLERS = [Caller(UUID(int=1), role) for role in ("client", "admin")]

IMPORTS = """
import sys
from uuid import UUID
from shared.auth.caller import Caller
from shared.lists import statements
from shared.lists.query import parse
from shared.lists.read_page import split_query
from shared.lists.registry import RECORDS

query = parse(sys.argv[1], RECORDS.public, may_search=True)
shape, _ = split_query(RECORDS, query, Caller(UUID(int=1), "client"))
statements.prepared_page_sql(RECORDS, shape) or statements.page_sql(RECORDS, shape)
statements.count_sql(RECORDS, shape)
print("sqlalchemy" in sys.modules)
"""


def shape_of(listing: Listing, query_string: str, caller: Caller) -> Shape:
    query = parse(query_string, listing.public, may_see_deleted=listing.may_see_deleted(caller))
    return split_query(listing, query, caller)[0]


def words(text: str) -> list[str]:
    return text.split()


def test_compiled_module_is_current() -> None:
    assert compile_lists.FILE.read_text("utf-8") == compile_lists.source(), "run `make openapi`"


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.role)
@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_compiled_and_built_sql_of_a_list_are_the_same(listing: Listing, caller: Caller) -> None:
    for query in ("", "page=2", "page_size=7"):
        first = shape_of(listing, query, caller)
        for shape in (first, first.after_cursor()):
            compiled = statements.prepared_page_sql(listing, shape)
            assert compiled is not None
            assert words(compiled) == words(sql.prepared_page_sql(listing, shape))
            assert words(statements.count_sql(listing, shape)) == words(sql.count_sql(listing, shape))
            assert statements.key_count(listing, shape) == sql.key_count(listing, shape)


@pytest.mark.parametrize("query", ["amount=1", "fields=id", "sort=amount", "sort=date", "deleted=true"])
def test_sql_of_other_queries_is_built(query: str) -> None:
    shape = shape_of(RECORDS, query, CALLERS[1])
    assert statements.prepared_page_sql(RECORDS, shape) is None
    assert statements.page_sql(RECORDS, shape) == sql.page_sql(RECORDS, shape)


@pytest.mark.parametrize(
    ("query", "needs_sqlalchemy"),
    [("", False), ("page=3&page_size=100", False), ("sort=-date", False), ("amount=1", True)],
)
def test_only_queries_that_are_not_compiled_import_sqlalchemy(query: str, needs_sqlalchemy: bool) -> None:
    process = subprocess.run(
        [sys.executable, "-c", IMPORTS, query], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == str(needs_sqlalchemy)


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_list_and_its_source_agree(listing: Listing) -> None:
    source = SOURCES[listing.name]
    assert source.listing is listing
    assert listing.hides_rows == (source.hidden is not None)
    assert listing.has_search == (source.contains is not None)
    assert [column.name for column in source.newest] == list(listing.newest)
    for name in listing.public:
        assert source.expression(name) is not None
