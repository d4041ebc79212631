"""The ledger: names that meet, and the order of the manifest's lines."""

from __future__ import annotations

import json
import sqlite3
from types import SimpleNamespace

import pytest

from stylize.batch import temporary
from stylize.batch.jobs import Job
from stylize.batch.ledger import Ledger
from stylize.errors import OptionError, StylizeError


def job(output: str, content: str = "a.png") -> Job:
    return Job(content, (("s.png", 1.0),), output)


def keep(ledger: Ledger, output: str, status: str = "done") -> str:
    """Store a record; return its line."""
    line = json.dumps({"output": output, "status": status})
    ledger.keep(json.loads(line), line)
    return line


@pytest.mark.parametrize(
    ("ignore_case", "one", "two", "same"),
    [
        (False, "a.png", "a.png", True),
        (False, "a.png", "A.png", False),
        (True, "a.png", "A.png", True),
        (True, "straße.png", "STRASSE.png", True),
        (False, "\u00e4.png", "a\u0308.png", True),  # the same letter, composed or not
        (True, "a.png", "b.png", False),
    ],
)
def test_two_pictures_may_not_be_one_file(ignore_case, one, two, same):
    ledger = Ledger(ignore_case=ignore_case)
    ledger.add(job(one, "photos/1.png"))
    if same:
        with pytest.raises(OptionError, match=r"photos/1\.png in the style of s\.png and for photos/2\.png"):
            ledger.add(job(two, "photos/2.png"))
    else:
        ledger.add(job(two, "photos/2.png"))
    ledger.close()


def test_lines_stand_in_the_order_of_the_jobs_after_those_of_earlier_runs():
    ledger = Ledger(ignore_case=False)
    keep(ledger, "gone.png", "failed")
    assert ledger.picture("gone.png") is ledger.picture("none.png") is None
    earlier = keep(ledger, "earlier.png")
    for output in ("1.png", "2.png", "3.png"):
        ledger.add(job(output))
    keep(ledger, "2.png", "failed")
    last = [keep(ledger, output) for output in ("3.png", "2.png", "1.png")]
    assert list(ledger.lines()) == [earlier, *reversed(last)]
    assert [each.output for each in ledger.jobs()] == ["1.png", "2.png", "3.png"]
    assert ledger.record("2.png") == {"output": "2.png", "status": "done"}
    assert ledger.record("4.png") is None
    ledger.close()


@pytest.mark.parametrize(("system", "variable"), [("nt", "TMP"), ("posix", "TMPDIR")])
def test_a_full_disk_of_temporary_files_is_told_with_the_variable_that_names_another(system, variable, monkeypatch):
    def fail() -> None:
        with temporary.temporary_database():
            raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(temporary, "os", SimpleNamespace(name=system))
    with pytest.raises(StylizeError, match=f"temporary files: disk full; {variable} names another folder"):
        fail()
