"""What waits for one listener: the newest value per figure, in the order of the history, at most one a second."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.reporting.stream.domain import Moved, Pending, Wanted, message

ALL = Wanted(None, None)
A, B = UUID(int=1), UUID(int=2)


def moved(sequence: int, cluster: UUID | None = None, value: int = 0, indicator: str = "members") -> Moved:
    return Moved(sequence, indicator, cluster, "2026-03-01", value, None, sequence, "2026-03-01T00:00:00Z")


def test_a_first_value_goes_out_at_once_and_the_next_after_a_second() -> None:
    pending = Pending(ALL)
    assert pending.wait(0.0) is None
    pending.add(moved(1))
    assert pending.wait(10.0) == 0.0
    assert [m.sequence for m in pending.take(10.0)] == [1]
    pending.add(moved(2))
    assert pending.wait(10.25) == 0.75
    assert pending.wait(11.0) == 0.0


def test_only_the_newest_value_of_a_figure_waits() -> None:
    pending = Pending(ALL)
    for sequence in range(1, 1001):
        pending.add(moved(sequence, A if sequence % 2 else None))
    assert [m.sequence for m in pending.take(0.0)] == [999, 1000]


def test_a_listener_gets_only_what_it_asked_for() -> None:
    pending = Pending(Wanted("members", A))
    assert [pending.add(moved(n, c, indicator=i)) for n, c, i in
            ((1, A, "members"), (2, B, "members"), (3, None, "members"), (4, A, "organizations"))] == [
        True, False, False, False
    ]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from([None, A, B]), st.floats(0, 2), st.booleans()), max_size=40), st.data())
def test_who_resumes_behind_any_id_misses_no_newest_value(
    steps: list[tuple[UUID | None, float, bool]], data: st.DataObject
) -> None:
    """Cut after any message: what the id covers has been sent or was replaced by something behind the id."""
    pending, now, sent, history = Pending(ALL), 0.0, [], []
    for sequence, (cluster, pause, flush) in enumerate(steps, start=1):
        now += pause
        history.append(moved(sequence, cluster))
        pending.add(history[-1])
        if flush and pending.wait(now) == 0.0:
            sent += pending.take(now)
    assert [m.sequence for m in sent] == sorted(m.sequence for m in sent)
    cut = data.draw(st.integers(0, len(sent)))
    seen = {m.figure: m for m in sent[:cut]}
    last = sent[cut - 1].sequence if cut else 0
    for one in history:
        if one.sequence > last:
            seen[one.figure] = one
    assert seen == {one.figure: one for one in history}


def test_a_message_is_three_lines_and_a_blank_one() -> None:
    assert message("figure", 7, {"value": 1}) == b'id: 7\nevent: figure\ndata: {"value":1}\n\n'
