"""benchmarks/judging.py: rows that a stopped run has measured already."""

import argparse
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def judging(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import judging

    return judging


def test_a_row_is_measured_once(judging, tmp_path):
    args, record = argparse.Namespace(size=512, output=tmp_path, write=False), tmp_path / "row.json"
    assert judging.remembered(record, args, lambda: {"seconds": 1}) == {"seconds": 1}
    later = argparse.Namespace(size=512, output=tmp_path / "..", write=True)
    assert judging.remembered(record, later, lambda: {"seconds": 2}) == {"seconds": 1}


def test_rows_of_other_arguments_or_of_another_commit_are_not_mixed(judging, tmp_path, monkeypatch):
    args, record = argparse.Namespace(size=512), tmp_path / "row.json"
    judging.remembered(record, args, lambda: {"seconds": 1})
    with pytest.raises(SystemExit, match=r"row\.json: another size; give an empty folder, or delete the file"):
        judging.remembered(record, argparse.Namespace(size=256), lambda: {"seconds": 2})
    monkeypatch.setattr(judging.tables, "commit", lambda: "0000000")
    with pytest.raises(SystemExit, match="another commit"):
        judging.remembered(record, args, lambda: {"seconds": 2})
    record.write_text('{"seconds": 1}')
    with pytest.raises(SystemExit, match="another commit, size"):
        judging.remembered(record, args, lambda: {"seconds": 2})
