"""A short fuzz test of the contract. `make fuzz` runs it longer."""

from tests.fuzz.run import QUICK, ROLES, audit, fuzz, service

SEED = 1
EXAMPLES = 4
MIN_CASES = 100


def test_responses_to_every_role_match_the_openapi_document() -> None:
    with service() as stack:
        outcomes = fuzz(stack, SEED, EXAMPLES, QUICK)
        assert audit(stack) == ""
    assert [outcome.role for outcome in outcomes] == list(ROLES)
    for outcome in outcomes:
        print(outcome.role, outcome.cases, "cases")
        assert outcome.passed, outcome.output
        assert outcome.cases > MIN_CASES, outcome.output
