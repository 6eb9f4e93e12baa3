"""The short form of `make soak`: each fault once or twice, with traffic all the while."""

from tests.soak.soak import run

SECONDS, USERS, PAUSE = 6, 4, 0.5


def test_traffic_under_faults_ends_with_the_books_in_order_and_every_answer_explained() -> None:
    soak = run(SECONDS, USERS, PAUSE, seed=1)
    assert soak.faulty() == [], "\n".join(soak.lines())
    assert all(soak.faults.counts[name] for name in soak.faults.kinds)
    assert soak.answers.counts["charge", "200"]
    assert soak.promises.tasks
