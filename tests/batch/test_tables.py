"""Contents from CSV, JSON lines and Parquet; bad tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stylize.batch.jobs import Cells, Naming, Pairing, jobs
from stylize.batch.tables import subjects_of_manifest
from stylize.config import FastConfig
from stylize.errors import OptionError, StylizeError

OPTIONS = {
    "size": "size",
    "strength": "strength",
    "keep-colors": "keep_colors",
    "tv-weight": "total_variation_weight",
    "total-variation-weight": "total_variation_weight",
}


def config_of(cells: Cells) -> FastConfig:
    """Make a config of a row, of whose cells only the size counts."""
    size = dict(cells).get("size", "512")
    if not size.isdecimal():
        raise OptionError(f"size: expected a number, received {size!r}")
    return FastConfig(size=int(size))


def fully_read(path: str) -> list[str]:
    """Return the outputs of a table's rows."""
    subjects = subjects_of_manifest(path, OPTIONS)
    found = jobs(subjects, ["s/waves.jpg"], Pairing(), Naming("{content}", "png"), config_of, output="out")
    return [job.output for job in found]


ROWS = [
    {"content": "cats/1.png", "style": "s/waves.jpg:2;s/night.jpg", "size": 300, "class": "cat"},
    {"content": "2.png", "keep-colors": True, "strength": 0.5, "class": "dog"},
]


def table(folder: Path, suffix: str) -> str:
    path = folder / f"jobs.{suffix}"
    columns = list({name: None for row in ROWS for name in row})
    if suffix == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    elif suffix == "csv":
        lines = [",".join(str(row.get(name, "")) for name in columns) for row in ROWS]
        path.write_text("\n".join([",".join(columns), *lines]) + "\n", encoding="utf-8-sig")
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(
            pyarrow.Table.from_pylist([{name: row.get(name) for name in columns} for row in ROWS]), path
        )
    return str(path)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_table(tmp_path, suffix):
    one, two = subjects_of_manifest(table(tmp_path, suffix), OPTIONS)
    assert (one.content, one.folder) == (str(tmp_path / "cats/1.png"), "cats")
    assert one.styles == ((str(tmp_path / "s/waves.jpg"), 2.0), (str(tmp_path / "s/night.jpg"), 1.0))
    assert (two.styles, two.folder) == (None, "")
    assert [subject.labels for subject in (one, two)] == [{"class": "cat"}, {"class": "dog"}]
    assert one.cells == (("size", "300"),)
    assert two.cells == (("keep_colors", "True"), ("strength", "0.5"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("content,size\na.png,big\n", r"jobs.csv line 2: size: .*'big'"),
        ("content,size\n\nb.png,\na.png,0\n", "line 4: size: expected a long side"),
        ("content,style\na.png,s.jpg:-1\n", "line 2: style .*s.jpg: expected a weight over 0"),
        ("picture\na.png\n", "line 2: expected a content, received picture"),
        ("content\na.png,b.png\n", "line 2: expected as many cells"),
        ('content\n"a.png\n', "expected CSV"),
        ("", "at least one row"),
    ],
)
def test_a_bad_table_is_told_with_its_line(tmp_path, text, words):
    path = tmp_path / "jobs.csv"
    path.write_text(text)
    with pytest.raises(StylizeError, match=words):
        fully_read(str(path))


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_bad_json_is_told_with_its_line(tmp_path, text):
    path = tmp_path / "jobs.jsonl"
    path.write_text(f'{{"content": "a.png"}}\n\n{text}\n')
    with pytest.raises(StylizeError, match="line 3: expected a JSON object"):
        fully_read(str(path))


def test_a_file_that_is_no_table(tmp_path):
    (tmp_path / "jobs.parquet").write_bytes(b"no")
    (tmp_path / "jobs.csv").write_bytes(b"content\n\xff\n")
    with pytest.raises(OptionError, match="suffix of csv, jsonl, parquet"):
        fully_read("jobs.xlsx")
    with pytest.raises(StylizeError, match="could not be read: No such file"):
        fully_read("missing.csv")
    with pytest.raises(StylizeError, match="expected UTF-8"):
        fully_read(str(tmp_path / "jobs.csv"))
    pytest.importorskip("pyarrow")
    with pytest.raises(StylizeError, match="expected a Parquet file"):
        fully_read(str(tmp_path / "jobs.parquet"))


def test_a_slip_of_the_pen_in_a_column_is_told_of(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text("content,strenght,class,tv_weight,Keep Colors\na.png,1,cat,,\n")
    said = []
    (subject,) = subjects_of_manifest(str(path), OPTIONS, on_message=said.append)
    assert said == [f"{path}: column 'strenght' is taken as a label; is 'strength' meant?"]
    assert subject.labels == {"strenght": "1", "class": "cat"}


@pytest.mark.parametrize("column", ["tv-weight", "TV weight", "--tv_weight", " total_variation_weight "])
def test_a_column_may_be_spelled_in_many_ways(tmp_path, column):
    path = tmp_path / "jobs.jsonl"
    path.write_text(json.dumps({"content": "a.png", column: 3, "mode": "refine"}))
    (subject,) = subjects_of_manifest(str(path), OPTIONS)
    assert subject.cells == (("mode", "refine"), ("total_variation_weight", "3"))
    assert subject.labels == {}


def test_several_layers_and_weights_are_one_cell(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"content": "a.png", "size": ["1", 2.0, null]}')
    (subject,) = subjects_of_manifest(str(path), OPTIONS)
    assert subject.cells == (("size", "1;2;"),)
