"""The short form of `make soak`: each fault once or twice, with traffic all the while."""

from tests.soak.soak import run

SECONDS, USERS, PAUSE = 8, 4, 0.8


def test_traffic_under_faults_ends_with_the_books_in_order_and_every_answer_explained() -> None:
    soak = run(SECONDS, USERS, PAUSE, seed=1)
    assert soak.faulty() == [], "\n".join(soak.lines())
    assert set(soak.faults.kinds) == {name for name, count in soak.faults.counts.items() if count}
    assert soak.answers.total("200") > 50
    assert soak.promises.tasks.get("completed", 0) > 0
