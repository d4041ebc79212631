"""Contents from CSV, JSON lines and Parquet; bad tables."""

from __future__ import annotations

import json
import ntpath
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stylize.batch import tables
from stylize.batch.jobs import Cells, Naming, Pairing, jobs
from stylize.batch.manifest import MANIFEST
from stylize.batch.tables import subjects_of_manifest
from stylize.cli.main import main
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
        (
            "content,size\n\nb.png,\na.png,0\n",
            "line 4: size: expected a long side of 1 to 65535 px, original, or percent such as 200%; received 0",
        ),
        ("content,style\na.png,s.jpg:-1\n", "line 2: style .*s.jpg: expected a weight over 0"),
        ("picture\na.png\n", "line 2: expected a content, received picture"),
        ("content\na.png,b.png\n", "line 2: expected as many cells"),
        ('content\n"a.png\n', "expected CSV"),
        ("", "at least one row"),
        ("sep=, ;\ncontent\n", "line 1: expected sep= and one character"),
        ("content,size,Size\na.png,1,2\n", "line 2: expected one column size, received several"),
        ("content,tv-weight,total_variation_weight\na.png,1,2\n", "one column total_variation_weight"),
        ("content,style,style\na.png,a.jpg,b.jpg\n", "jobs.csv line 1: expected one column style, received several"),
        ("\nsep=;\n\ncontent;class;class\n", "jobs.csv line 4: expected one column class, received several"),
        ("\n,,\npicture\na.png\n", "line 4: expected a content, received picture"),
        ("content,mask\na.png,m.png;n.png\n", "line 2: mask: expected one mask; received 2"),
    ],
)
def test_a_bad_table_is_told_with_its_line(tmp_path, text, words):
    path = tmp_path / "jobs.csv"
    path.write_text(text)
    with pytest.raises(StylizeError, match=words):
        fully_read(str(path))


def test_rows_above_the_columns_may_be_empty(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text("\r\n;;\r\ncontent;class;\r\na.png;cat;\r\n", encoding="utf-8-sig")
    (subject,) = subjects_of_manifest(str(path), OPTIONS)
    assert (subject.labels, subject.where) == ({"class": "cat"}, f"{path} line 4")


def test_keys_and_columns_of_one_name_are_refused(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"content": "a.png"}\n{"content": "b.png", "class": "cat", "class": "dog"}\n')
    with pytest.raises(StylizeError, match=r"jobs.jsonl line 2: expected one column class, received several"):
        fully_read(str(path))
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = [pyarrow.array([text]) for text in ("a.png", "cat", "dog")]
    parquet.write_table(pyarrow.table(columns, names=["content", "class", "class"]), tmp_path / "jobs.parquet")
    with pytest.raises(StylizeError, match=r"jobs.parquet: expected one column class, received several"):
        fully_read(str(tmp_path / "jobs.parquet"))


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_bad_json_is_told_with_its_line(tmp_path, text):
    path = tmp_path / "jobs.jsonl"
    path.write_text(f'{{"content": "a.png"}}\n\n{text}\n')
    with pytest.raises(StylizeError, match="line 3: expected a JSON object"):
        fully_read(str(path))


def test_a_file_that_is_no_table(tmp_path):
    (tmp_path / "jobs.parquet").write_bytes(b"no")
    (tmp_path / "jobs.csv").write_bytes(b"content\n\xff\n")
    with pytest.raises(OptionError, match="suffix of csv, tsv, jsonl, parquet"):
        fully_read("jobs.xlsx")
    with pytest.raises(StylizeError, match="could not be read: No such file"):
        fully_read("missing.csv")
    with pytest.raises(StylizeError, match=r"expected UTF-8 or UTF-16, .* save it as CSV UTF-8"):
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_of_a_spreadsheet(encoding, separator, announced, end, tmp_path):
    rows = [["size", "content", "class", ""], ["64.0", "ä.png", "a, b; c", ""], ["", "", "", ""], ["", "", "", "", ""]]
    rows += [["", "b.png", "", ""], [" "]]
    lines = [separator.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows]
    text = end.join([f"sep={separator}"] * announced + lines) + end
    path = tmp_path / ("jobs.tsv" if separator == "\t" else "jobs.csv")
    path.write_bytes(text.encode(encoding))
    one, two = subjects_of_manifest(str(path), OPTIONS)
    assert one.content == str(tmp_path / "ä.png")
    assert one.cells == (("size", "64.0"),)
    assert one.labels == {"class": "a, b; c"}
    assert two.content == str(tmp_path / "b.png")
    assert two.where == f"{path} line {5 + announced}"


def test_json_lines_of_powershell(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_bytes('{"content": "ä.png"}\r\n'.encode("utf-16"))
    assert [subject.content for subject in subjects_of_manifest(str(path), OPTIONS)] == [str(tmp_path / "ä.png")]


def test_names_with_colons_and_semicolons_are_found_by_a_table(tmp_path):
    for name in ("shot 12:30", "a;b.png"):
        (tmp_path / name).touch()
    path = tmp_path / "jobs.csv"
    path.write_text("content|style|mask\na.png|shot 12:30|a;b.png\na.png|shot 12:30:2;a;b|\n".replace("|", ","))
    one, two = subjects_of_manifest(str(path), OPTIONS)
    assert one.styles == ((str(tmp_path / "shot 12:30"), 1.0),)
    assert one.masks == (str(tmp_path / "a;b.png"),)
    assert two.styles is not None
    assert [weight for _, weight in two.styles] == [2.0, 1.0, 1.0]
    assert two.styles[0][0] == str(tmp_path / "shot 12:30")
    assert two.masks == ()


def test_an_option_of_the_whole_run_is_no_silent_label(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text("content,Output\na.png,x\n")
    said = []
    (subject,) = subjects_of_manifest(str(path), OPTIONS, other_options={"output"}, on_message=said.append)
    assert said == [f"{path}: column 'Output' is taken as a label, not as the option --output"]
    assert subject.labels == {"Output": "x"}


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_a_table_at_a_url(tmp_path, scheme):
    fsspec = pytest.importorskip("fsspec")
    url = f"{scheme}://{tmp_path}/jobs.csv"
    with fsspec.open(url, "wb") as file:
        file.write("content;mask\nä.png;m.png\n".encode("utf-16"))
    (subject,) = subjects_of_manifest(url, OPTIONS)
    assert subject.content.endswith("/ä.png")
    assert subject.masks[0].endswith("/m.png")
    assert subject.masks[0].startswith(f"{scheme}://")


NAMES = ["content", "style", "mask", "mode", "size", "steps", "strength", "keep-colors", "init", "preset", "class"]
CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["fast", "refine", "x" * 5000, "photos/a.png", "styles/s.png", "a.png:1", ";", "\0", "\udcff"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
ROWS_OF_ANYTHING = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), CELLS, max_size=5)
LINES = st.lists(ROWS_OF_ANYTHING.map(lambda row: {"content": "gone.png", **row}) | CELLS, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(lines=r'{"content": "nul\u0000.png"}', number=-1)
@example(lines=r'{"content": "photos/a.png", "style": "nul\u0000"}', number=-2)
@example(lines=r'{"content": "photos/a.png", "mask": "nul\u0000"}', number=-3)
@example(lines=r'{"content": "photos/a.png", "mode": "refine", "init": "nul\u0000"}', number=-4)
@example(lines=r'{"content": "half\ud800.png"}', number=-5)
@example(lines=r'{"content": "byte\udcff.png"}', number=-6)
@example(lines='{"content": "a.png", "class": %s}' % ("[" * 2000 + "]" * 2000), number=-7)
@example(lines='{"content": "a://b"}', number=-8)
@example(lines='{"content": "file://a\\u0000"}', number=-9)
@example(lines='{"content": "%s"}' % ("c" * 70_000), number=-10)
@example(lines='{"content": "photos/a.png", "mode": "refine", "steps": 1e30}', number=-11)
@given(lines=LINES.map(lambda rows: "\n".join(map(json.dumps, rows))) | st.text(), number=st.integers())
def test_any_json_lines_are_painted_or_refused(lines, number, folders):
    """No line ends the program, and no picture fails by an error of ours."""
    Path("any.jsonl").write_bytes(lines.encode(errors="surrogatepass"))
    arguments = ["--manifest", "any.jsonl", "-s", "styles", "--size", "24", "--network", "mini", "--name", "{number}"]
    result = CliRunner().invoke(main, ["batch", *arguments, "-o", f"out{number}"])
    assert isinstance(result.exception, (SystemExit, type(None))), lines
    manifest = Path(f"out{number}", MANIFEST)
    assert "traceback" not in (manifest.read_text() if manifest.exists() else "")


@pytest.mark.parametrize(
    "content", [r"C:photos\a.jpg", r"C:\photos\a.jpg", r"\photos\a.jpg", "/photos/a.jpg", "D:a.jpg"]
)
def test_pictures_elsewhere_on_windows_are_painted_into_the_output_folder_itself(content, monkeypatch):
    # `isabs` as of Python 3.13: a path without a drive is not absolute.
    path = SimpleNamespace(**vars(ntpath))
    path.isabs = lambda text: ntpath.isabs(text) and bool(ntpath.splitdrive(text)[0])
    monkeypatch.setattr(tables, "os", SimpleNamespace(path=path, sep="\\"))
    assert tables._output_folder(content) == ""
    assert tables._output_folder(r"photos\cats\a.jpg") == "photos/cats"
