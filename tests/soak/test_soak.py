"""A short soak test with every fault once or twice. `make soak` runs it longer."""

from tests.soak.soak import run

SECONDS, USERS, PAUSE = 6, 4, 0.5


def test_traffic_under_faults_keeps_all_balances_right_and_all_responses_expected() -> None:
    soak = run(SECONDS, USERS, PAUSE, seed=1)
    assert soak.failures() == [], "\n".join(soak.lines())
    assert all(soak.faults.counts[name] for name in soak.faults.kinds)
    assert soak.responses.counts["charge", "200"]
    assert soak.final_checks.tasks
