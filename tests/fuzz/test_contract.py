"""The contract, fuzzed for some seconds; `make fuzz` takes its time."""

from tests.fuzz.run import QUICK, ROLES, audit, fuzz, service

SEED = 1
EXAMPLES = 4
LEAST_CASES = 100


def test_every_answer_to_nobody_a_client_and_an_admin_is_as_the_document_says() -> None:
    with service() as stack:
        outcomes = fuzz(stack, SEED, EXAMPLES, QUICK)
        assert audit(stack) == ""
    assert [outcome.role for outcome in outcomes] == list(ROLES)
    for outcome in outcomes:
        print(outcome.role, outcome.cases, "cases")
        assert outcome.good, outcome.told
        assert outcome.cases > LEAST_CASES, outcome.told
