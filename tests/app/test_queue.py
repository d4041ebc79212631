"""The queue of the web page: bounded, fair, one a visitor; stop, leave, fail, close."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylize.app.queue import Queue
from stylize.errors import StylizeError

PATIENCE_S = 20


class Gate:
    """Work that tells when it runs, and goes on until it is let through or asked to stop."""

    def __init__(self, result="done"):
        self.running, self.opened, self.result = threading.Event(), threading.Event(), result

    def __call__(self, job):
        self.running.set()
        while not (self.opened.wait(0.005) or job.should_stop()):
            pass
        return self.result if self.opened.is_set() else "best so far"


def ended(job):
    pause = threading.Event()
    for _ in range(PATIENCE_S * 200):
        if not job.active:
            return job.state
        pause.wait(0.005)
    raise AssertionError(f"still {job.state}")


@pytest.fixture
def queue():
    queue = Queue(1, 2)
    yield queue
    queue.close()


def test_jobs_run_one_after_the_other_in_the_order_they_came(queue):
    order, first = [], Gate()
    jobs = [queue.submit("a", first)]
    assert first.running.wait(PATIENCE_S)
    jobs += [queue.submit(visitor, lambda job: order.append(job.visitor)) for visitor in "bc"]
    assert [queue.position(job) for job in jobs] == [0, 1, 2]
    first.opened.set()
    assert [ended(job) for job in jobs] == ["done"] * 3
    assert order == ["b", "c"]
    assert jobs[0].result == "done"
    assert [queue.position(job) for job in jobs] == [0, 0, 0]


def test_a_full_queue_says_so_and_takes_more_when_it_has_room(queue):
    first = Gate()
    jobs = [queue.submit("a", first), *(queue.submit(visitor, lambda job: 1) for visitor in "bc")]
    with pytest.raises(StylizeError, match=r"the queue is full \(. at work, . waiting\): try again"):
        queue.submit("d", Gate())
    queue.stop(jobs[2])
    assert jobs[2].state == "dropped"
    assert queue.submit("d", lambda job: "d").active
    first.opened.set()


def test_a_visitor_has_one_job_until_it_has_really_ended(queue):
    gate = Gate()
    job = queue.submit("a", gate)
    with pytest.raises(StylizeError, match="one refinement at a time"):
        queue.submit("a", gate)
    gate.opened.set()
    ended(job)
    assert ended(queue.submit("a", lambda job: 2)) == "done"


def test_stop_keeps_what_the_work_has(queue):
    gate = Gate()
    job = queue.submit("a", gate)
    assert gate.running.wait(PATIENCE_S)
    queue.stop(job)
    assert job.stopping
    assert ended(job) == "done"
    assert job.result == "best so far"


def test_what_a_user_can_mend_is_told_and_what_not_is_logged(queue, caplog):
    def mendable(job):
        raise StylizeError("the style is missing")

    def broken(job):
        return 1 / 0

    told = queue.submit("a", mendable)
    assert (ended(told), told.error) == ("failed", "the style is missing")
    assert not caplog.records
    failed = queue.submit("a", broken)
    assert (ended(failed), failed.error) == ("failed", "something went wrong on the server; its log says what")
    assert "ZeroDivisionError" in caplog.text
    assert ended(queue.submit("a", lambda job: 1)) == "done"


class Visitors:
    def __init__(self):
        self.gone, self.now = set(), 0.0

    def is_connected(self, visitor):
        return visitor not in self.gone

    def clock(self):
        return self.now


def test_who_leaves_frees_the_machine_and_the_place():
    visitors = Visitors()
    queue = Queue(1, 3, is_connected=visitors.is_connected, grace_s=10, clock=visitors.clock)
    gates = {visitor: Gate() for visitor in "abc"}
    jobs = {visitor: queue.submit(visitor, gate) for visitor, gate in gates.items()}
    assert gates["a"].running.wait(PATIENCE_S)
    visitors.gone = {"a", "b"}
    for visitors.now in (11, 20):
        assert queue.position(jobs["c"]) == 2  # a moment's absence costs nothing, though nobody looked for long before
    visitors.now = 22
    assert gates["c"].running.wait(PATIENCE_S)
    assert ended(jobs["a"]) == "dropped"
    assert jobs["a"].result is None
    assert ended(jobs["b"]) == "dropped"
    assert not gates["b"].running.is_set()
    gates["c"].opened.set()
    assert ended(jobs["c"]) == "done"
    queue.close()


def test_who_comes_back_in_time_keeps_the_job():
    visitors = Visitors()
    queue = Queue(0, 3, is_connected=visitors.is_connected, grace_s=10, clock=visitors.clock)
    job = queue.submit("a", lambda job: 1)
    for visitors.now in (8, 16, 24, 32):
        visitors.gone = {"a"} - visitors.gone  # here again at 16 and 32
        assert queue.position(job) == 1
    assert queue.run_next()
    assert job.result == 1


def test_closing_stops_all_and_takes_no_more():
    before = set(threading.enumerate())
    queue = Queue(2, 2)
    workers = set(threading.enumerate()) - before
    gates = [Gate() for _ in range(4)]
    jobs = [queue.submit(str(number), gate) for number, gate in enumerate(gates)]
    assert gates[0].running.wait(PATIENCE_S)
    assert gates[1].running.wait(PATIENCE_S)
    queue.close()
    assert [job.state for job in jobs] == ["done", "done", "dropped", "dropped"]
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
            active = [job for job in submitted if job.active]
            waiting = [job for job in active if job.state == "waiting"]
            if kind == "submit":
                try:
                    latest[visitor] = queue.submit(visitor, work)
                    submitted.append(latest[visitor])
                except StylizeError:
                    gone = {job.visitor for job in active if job.visitor in visitors.gone}
                    busy = any(job.visitor == visitor for job in active)
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
            active = [job for job in submitted if job.active]
            assert len({job.visitor for job in active}) == len(active) <= workers + places
            waiting = [job for job in submitted if job.state == "waiting"]
            places_now = [queue.position(job) for job in waiting]
            assert [place for place in places_now if place] == list(range(1, sum(map(bool, places_now)) + 1))

    def work(job):
        assert job.state == "running"
        # First come, first served: whoever began later had come later.
        assert all(submitted.index(other) < submitted.index(job) for other in begun)
        begun.append(job)
        live(sum(other.state == "running" for other in submitted))
        return "result"

    live(0)
    while queue.run_next():
        pass
    assert not any(job.active for job in submitted)
    for job in submitted:
        assert (job.result == "result") == (job.state == "done")
        assert job.state != "done" or job in begun
