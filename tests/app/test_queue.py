"""The queue of the web page: bounded, fair, one a visitor; stop, leave, fail, close."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylize.app.queue import Queue, QueuedRun
from stylize.errors import StylizeError

PATIENCE_S = 20


class Gate:
    """Work that tells when it runs, and goes on until it is let through or asked to stop."""

    def __init__(self, result: str = "done") -> None:
        self.running, self.opened, self.result = threading.Event(), threading.Event(), result

    def __call__(self, run: QueuedRun) -> str:
        self.running.set()
        while not (self.opened.wait(0.005) or run.should_stop()):
            pass
        return self.result if self.opened.is_set() else "best so far"


def ended(run: QueuedRun) -> str:
    pause = threading.Event()
    for _ in range(PATIENCE_S * 200):
        if not run.active:
            return run.state
        pause.wait(0.005)
    raise AssertionError(f"still {run.state}")


@pytest.fixture
def queue():
    queue = Queue(1, 2)
    yield queue
    queue.close()


def test_jobs_run_one_after_the_other_in_the_order_they_came(queue):
    order, first = [], Gate()
    runs = [queue.submit("a", first)]
    assert first.running.wait(PATIENCE_S)
    runs += [queue.submit(visitor, lambda run: order.append(run.visitor)) for visitor in "bc"]
    assert [queue.position(run) for run in runs] == [0, 1, 2]
    first.opened.set()
    assert [ended(run) for run in runs] == ["done"] * 3
    assert order == ["b", "c"]
    assert runs[0].result == "done"
    assert [queue.position(run) for run in runs] == [0, 0, 0]


def test_a_full_queue_says_so_and_takes_more_when_it_has_room(queue):
    first = Gate()
    runs = [queue.submit("a", first), *(queue.submit(visitor, lambda run: 1) for visitor in "bc")]
    with pytest.raises(StylizeError, match=r"the queue is full \(. at work, . waiting\): try again"):
        queue.submit("d", Gate())
    queue.stop(runs[2])
    assert runs[2].state == "dropped"
    assert queue.submit("d", lambda run: "d").active
    first.opened.set()


def test_a_visitor_has_one_run_until_it_has_really_ended(queue):
    gate = Gate()
    run = queue.submit("a", gate)
    with pytest.raises(StylizeError, match="one refinement at a time"):
        queue.submit("a", gate)
    gate.opened.set()
    ended(run)
    assert ended(queue.submit("a", lambda run: 2)) == "done"


def test_stop_keeps_what_the_work_has(queue):
    gate = Gate()
    run = queue.submit("a", gate)
    assert gate.running.wait(PATIENCE_S)
    queue.stop(run)
    assert run.stopping
    assert ended(run) == "done"
    assert run.result == "best so far"


def test_what_a_user_can_mend_is_told_and_what_not_is_logged(queue, caplog):
    def mendable(run):
        raise StylizeError("the style is missing")

    def broken(run):
        return 1 / 0

    told = queue.submit("a", mendable)
    assert (ended(told), told.error) == ("failed", "the style is missing")
    assert not caplog.records
    failed = queue.submit("a", broken)
    assert (ended(failed), failed.error) == ("failed", "something went wrong on the server; its log says what")
    assert "ZeroDivisionError" in caplog.text
    assert ended(queue.submit("a", lambda run: 1)) == "done"


class Visitors:
    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.now = 0.0

    def is_connected(self, visitor: str) -> bool:
        return visitor not in self.gone

    def clock(self) -> float:
        return self.now


def test_who_leaves_frees_the_machine_and_the_place():
    visitors = Visitors()
    queue = Queue(1, 3, is_connected=visitors.is_connected, grace_s=10, clock=visitors.clock)
    gates = {visitor: Gate() for visitor in "abc"}
    runs = {visitor: queue.submit(visitor, gate) for visitor, gate in gates.items()}
    assert gates["a"].running.wait(PATIENCE_S)
    visitors.gone = {"a", "b"}
    for visitors.now in (11, 20):
        assert queue.position(runs["c"]) == 2  # a moment's absence costs nothing, though nobody looked for long before
    visitors.now = 22
    assert gates["c"].running.wait(PATIENCE_S)
    assert ended(runs["a"]) == "dropped"
    assert runs["a"].result is None
    assert ended(runs["b"]) == "dropped"
    assert not gates["b"].running.is_set()
    gates["c"].opened.set()
    assert ended(runs["c"]) == "done"
    queue.close()


def test_who_comes_back_in_time_keeps_the_run():
    visitors = Visitors()
    queue = Queue(0, 3, is_connected=visitors.is_connected, grace_s=10, clock=visitors.clock)
    run = queue.submit("a", lambda run: 1)
    for visitors.now in (8, 16, 24, 32):
        visitors.gone = {"a"} - visitors.gone  # here again at 16 and 32
        assert queue.position(run) == 1
    assert queue.run_next()
    assert run.result == 1


def test_closing_stops_all_and_takes_no_more():
    before = set(threading.enumerate())
    queue = Queue(2, 2)
    workers = set(threading.enumerate()) - before
    gates = [Gate() for _ in range(4)]
    runs = [queue.submit(str(number), gate) for number, gate in enumerate(gates)]
    assert gates[0].running.wait(PATIENCE_S)
    assert gates[1].running.wait(PATIENCE_S)
    queue.close()
    assert [run.state for run in runs] == ["done", "done", "dropped", "dropped"]
    assert len(workers) == 2
    assert not any(thread.is_alive() for thread in workers)
    with pytest.raises(StylizeError, match="closing"):
        queue.submit("x", gates[0])


VISITORS = "abcde"
events = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.sampled_from(VISITORS)),
        st.tuples(st.just("stop"), st.sampled_from(VISITORS)),
        st.tuples(st.just("leave"), st.sampled_from(VISITORS)),
        st.tuples(st.just("return"), st.sampled_from(VISITORS)),
        st.tuples(st.just("wait"), st.just("")),
        st.tuples(st.just("begin"), st.just("")),  # another worker begins what is next
        st.tuples(st.just("finish"), st.just("")),  # of those at work, the one that began last ends
    ),
    max_size=60,
)


@given(events=events, places=st.integers(0, 3))
def test_whatever_happens(events, places):
    """No threads: each worker is a call of run_next inside the work of the one before it."""
    visitors, workers, grace_s = Visitors(), 2, 1.5
    queue = Queue(0, workers + places, is_connected=visitors.is_connected, grace_s=grace_s, clock=visitors.clock)
    queue.run_next()
    submitted, begun, latest = [], [], {}
    remaining = iter(events)

    def live(at_work):
        for kind, visitor in remaining:
            active = [run for run in submitted if run.active]
            waiting = [run for run in active if run.state == "waiting"]
            if kind == "submit":
                try:
                    latest[visitor] = queue.submit(visitor, work)
                    submitted.append(latest[visitor])
                except StylizeError:
                    gone = {run.visitor for run in active if run.visitor in visitors.gone}
                    busy = any(run.visitor == visitor for run in active)
                    assert busy or len(active) >= workers + places or gone
            elif kind == "stop" and visitor in latest:
                queue.stop(latest[visitor])
                assert latest[visitor].state != "waiting"
            elif kind == "leave":
                visitors.gone.add(visitor)
            elif kind == "return":
                visitors.gone.discard(visitor)
            elif kind == "wait":
                visitors.now += 1
            elif kind == "begin" and at_work < workers:
                queue.run_next()
            elif kind == "finish" and at_work:
                return
            # One a visitor, never more than there is room for, and places count from 1 without a gap.
            active = [run for run in submitted if run.active]
            assert len({run.visitor for run in active}) == len(active) <= workers + places
            waiting = [run for run in submitted if run.state == "waiting"]
            places_now = [queue.position(run) for run in waiting]
            assert [place for place in places_now if place] == list(range(1, sum(map(bool, places_now)) + 1))

    def work(run):
        assert run.state == "running"
        # First come, first served: whoever began later had come later.
        assert all(submitted.index(other) < submitted.index(run) for other in begun)
        begun.append(run)
        live(sum(other.state == "running" for other in submitted))
        return "result"

    live(0)
    while queue.run_next():
        pass
    assert not any(run.active for run in submitted)
    for run in submitted:
        assert (run.result == "result") == (run.state == "done")
        assert run.state != "done" or run in begun
