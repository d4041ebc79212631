"""What a batch is to paint: pictures found, tables read, pairs, names."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylize import files
from stylize.batch.jobs import Job, Naming, Pairing, Settings, Subject, jobs, styles_of_places, subjects_of_places
from stylize.batch.tables import subjects_of_manifest
from stylize.config import FastConfig, RefineConfig
from stylize.errors import OptionError, StylizeError

NAMING = Naming("{content}-{style}-{mode}", "png")


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def found(place, leave_out="nowhere"):
    return [below for _, below in files.pictures(str(place), "content", leave_out=str(leave_out))]


def outputs(subjects, styles=("s/waves.jpg",), pairing=None, naming=NAMING, settings=None, output="out"):
    settings = settings or Settings("fast")
    return [job.output for job in jobs(subjects, styles, pairing or Pairing(), naming, settings, output=output)]


# ----------------------------------------------------------------------------------------------------------
# Pictures


def test_a_folder_is_walked_in_order(tmp_path):
    touch(
        tmp_path, "b.JPG", "a.png", "cats/2.webp", "cats/1.tiff", ".hidden.png", ".git/x.png", "notes.txt", "out/o.png"
    )
    assert found(tmp_path, leave_out=tmp_path / "out") == ["a.png", "b.JPG", "cats/1.tiff", "cats/2.webp"]


def test_a_glob_keeps_what_lies_below_its_fixed_part(tmp_path):
    touch(tmp_path, "train/cats/1.png", "train/dogs/2.png", "train/readme.md", "test/cats/3.png")
    assert found(tmp_path / "train" / "*" / "*.png") == ["cats/1.png", "dogs/2.png"]
    assert found(tmp_path / "t*" / "cats") == ["test/cats/3.png", "train/cats/1.png"]
    assert found(tmp_path / "**" / "*.png") == ["test/cats/3.png", "train/cats/1.png", "train/dogs/2.png"]


def test_a_file_is_taken_by_its_name_whatever_that_is(tmp_path):
    touch(tmp_path, "[1].scan")
    assert found(tmp_path / "[1].scan") == ["[1].scan"]


@pytest.mark.parametrize(
    ("place", "words"), [("missing", "no such file or folder"), ("empty", "no pictures"), ("*.png", "no pictures")]
)
def test_nothing_there_is_told_in_one_line(tmp_path, place, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StylizeError, match=words):
        found(tmp_path / place)


def test_an_unreadable_folder_is_told_in_one_line(tmp_path, monkeypatch):
    touch(tmp_path, "a.png", "secret/b.png")
    real = os.scandir

    def scandir(folder):
        if str(folder).endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    if os.geteuid() == 0:  # root may read anything
        monkeypatch.setattr(os, "scandir", scandir)
    else:
        (tmp_path / "secret").chmod(0)
    try:
        with pytest.raises(StylizeError, match=r"content .*secret: could not be listed: Permission denied"):
            found(tmp_path)
    finally:
        (tmp_path / "secret").chmod(0o755)


def test_a_picture_named_twice_is_one(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    places = [str(tmp_path), str(tmp_path / "a.png"), str(tmp_path / "." / "b.png")]
    assert [subject.folder for subject in subjects_of_places(places, leave_out="out")] == ["", ""]
    assert len(styles_of_places(places, leave_out="out")) == 2


def test_urls(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    touch(tmp_path, "a.png", "cats/b.png", "cats/.c.png", "notes.txt")
    url = f"file://{tmp_path}"
    assert found(url) == ["a.png", "cats/b.png"]
    assert found(f"{url}/*/*.png") == ["cats/b.png"]
    assert found(f"{url}/a.png") == ["a.png"]
    assert next(files.pictures(url, "content", leave_out="out"))[0] == f"{url}/a.png"
    with pytest.raises(StylizeError, match="no pictures"):
        found(f"{url}/missing")
    with pytest.raises(StylizeError, match="nosuch"):
        found("nosuch://bucket/a.png")
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/a.png", b"12345")
    assert [path for path, _ in files.pictures("memory://bucket", "content", leave_out="out")] == [
        "memory:///bucket/a.png"
    ]
    assert files.stamp("memory://bucket/a.png").startswith("5-")
    files.write("memory://bucket/new/b.png", b"1")
    assert memory.cat_file("/bucket/new/b.png") == b"1"
    memory.rm("/bucket", recursive=True)


def test_urls_without_fsspec(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(StylizeError, match=r'pip install "stylize\[batch\]"'):
        found("s3://bucket/photos")


# ----------------------------------------------------------------------------------------------------------
# Tables

ROWS = [
    {"content": "cats/1.png", "style": "s/waves.jpg:2;s/night.jpg", "size": 300, "class": "cat"},
    {"content": "2.png", "keep-colors": True, "strength": 0.5, "class": "dog"},
]


def table(folder, suffix):
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
    one, two = subjects_of_manifest(table(tmp_path, suffix))
    assert (one.content, one.folder) == (str(tmp_path / "cats/1.png"), "cats")
    assert one.styles == ((str(tmp_path / "s/waves.jpg"), 2.0), (str(tmp_path / "s/night.jpg"), 1.0))
    assert (two.styles, two.folder) == (None, "")
    assert [subject.labels for subject in (one, two)] == [{"class": "cat"}, {"class": "dog"}]
    settings = Settings("fast", {"size": 200})
    assert settings.config(one.cells) == FastConfig(size=300)
    assert settings.config(two.cells) == FastConfig(size=200, keep_colors=True, strength=0.5)


def test_a_table_may_name_the_mode_the_preset_and_layers(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_text(
        '{"content": "a.png", "mode": "refine", "preset": "gatys", '
        '"Style_Layer": ["relu1_1:2", "conv3_1:1"], "steps": 7}'
    )
    (subject,) = subjects_of_manifest(str(path))
    config = Settings("fast").config(subject.cells)
    assert isinstance(config, RefineConfig)
    assert (config.pooling, config.steps) == ("avg", 7)
    assert config.loss.style_layers == (("relu1_1", 2.0), ("relu3_1", 1.0))


def test_refine_takes_all_that_fast_does(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text("content,mode,strength,keep-colors,size,network\na.png,refine,0.5,true,99,mini\n")
    (subject,) = subjects_of_manifest(str(path))
    expected = RefineConfig(strength=0.5, keep_colors=True, size=99, network="mini")
    assert Settings("fast").config(subject.cells) == expected
    assert Settings("refine", {"strength": 0.25}).config(()) == RefineConfig(strength=0.25)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("content,size\na.png,big\n", r"jobs.csv line 2: size: .*'big'"),
        ("content,size\na.png,0\n", "line 2: size: expected a long side"),
        ("content,steps\na.png,5\n", "line 2: --steps: an option of --mode refine, received --mode fast"),
        ("content,mode\na.png,slow\n", "line 2: mode: expected fast or refine"),
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
        outputs(subjects_of_manifest(str(path)))


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_bad_json_is_told_with_its_line(tmp_path, text):
    path = tmp_path / "jobs.jsonl"
    path.write_text(f'{{"content": "a.png"}}\n\n{text}\n')
    with pytest.raises(StylizeError, match="line 3: expected a JSON object"):
        outputs(subjects_of_manifest(str(path)))


def test_a_file_that_is_no_table(tmp_path):
    (tmp_path / "jobs.parquet").write_bytes(b"no")
    (tmp_path / "jobs.csv").write_bytes(b"content\n\xff\n")
    with pytest.raises(OptionError, match="suffix of csv, jsonl, parquet"):
        outputs(subjects_of_manifest("jobs.xlsx"))
    with pytest.raises(StylizeError, match="could not be read: No such file"):
        outputs(subjects_of_manifest("missing.csv"))
    with pytest.raises(StylizeError, match="expected UTF-8"):
        outputs(subjects_of_manifest(str(tmp_path / "jobs.csv")))
    pytest.importorskip("pyarrow")
    with pytest.raises(StylizeError, match="expected a Parquet file"):
        outputs(subjects_of_manifest(str(tmp_path / "jobs.parquet")))


def test_a_slip_of_the_pen_in_a_column_is_told_of(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text("content,strenght,class,tv_weight,Keep Colors\na.png,1,cat,,\n")
    said = []
    (subject,) = subjects_of_manifest(str(path), on_message=said.append)
    assert said == [f"{path}: column 'strenght' is taken as a label; is 'strength' meant?"]
    assert subject.labels == {"strenght": "1", "class": "cat"}


# ----------------------------------------------------------------------------------------------------------
# Pairs and names

SUBJECTS = [Subject(f"photos/{name}.jpg") for name in "abc"]
STYLES = [f"s/{number}.jpg" for number in range(5)]


def test_all_pairs_and_zip():
    assert outputs(SUBJECTS, STYLES[:2])[:3] == ["a-0-fast.png", "a-1-fast.png", "b-0-fast.png"]
    assert outputs(SUBJECTS, STYLES[:3], Pairing("zip")) == ["a-0-fast.png", "b-1-fast.png", "c-2-fast.png"]
    for count in (2, 4):
        with pytest.raises(OptionError, match="as many contents as styles"):
            outputs(SUBJECTS, STYLES[:count], Pairing("zip"))


def test_a_row_with_a_style_of_its_own_takes_no_other():
    subjects = [SUBJECTS[0], Subject("photos/b.jpg", styles=(("s/x.jpg", 1.0), ("s/y.jpg", 2.0)))]
    assert outputs(subjects, STYLES[:1]) == ["a-0-fast.png", "b-x+y-fast.png"]
    with pytest.raises(OptionError, match="expected a style"):
        outputs(SUBJECTS, [])


@given(st.integers(1, 5), st.integers(0, 3), st.sets(st.text("abcdef", min_size=1, max_size=3), min_size=2))
def test_a_draw_depends_on_the_picture_and_the_seed_alone(count, seed, names):
    pairing = Pairing.parse(f"random:{count}", seed)

    def draw(chosen):
        subjects = [Subject(f"photos/{name}.jpg") for name in chosen]
        found = jobs(subjects, STYLES, pairing, NAMING, Settings("fast"), output="out")
        return {(job.content, job.styles[0][0]) for job in found}

    everything = draw(sorted(names))
    assert len(everything) == count * len(names)
    some = sorted(names)[1:]
    assert draw(some) == {pair for pair in everything if files.stem(pair[0]) in some}


def test_another_seed_draws_others():
    def drawn(seed):
        subjects = [Subject(f"{number}.jpg") for number in range(40)]
        return outputs(subjects, STYLES, Pairing("random", 2, seed))

    assert drawn(0) == drawn(0) != drawn(1)


@pytest.mark.parametrize("text", ["some", "random", "random:0", "random:x", "all:2"])
def test_what_pairs_are_not(text):
    with pytest.raises(OptionError, match="expected all, zip or random:N"):
        Pairing.parse(text, 0)


def test_more_styles_than_there_are_can_not_be_drawn():
    with pytest.raises(OptionError, match="at most the 2 styles given, received random:3"):
        Pairing("random", 3).check(STYLES[:2])


def test_names():
    subject = Subject("photos/a.b.jpg", folder="cats", labels={"class": "x/y", "id": 7})
    assert outputs([subject], naming=Naming("{class}/{id:03}-{content}-{suffix}-{size}-{number}", "webp")) == [
        "cats/x/y/007-a.b-jpg-512-1.webp"
    ]
    with pytest.raises(OptionError, match=r"received \{nope\}"):
        outputs([subject], naming=Naming("{nope}", "png"))
    for template in ("../{content}", "/tmp/{content}", "", "{content}/"):
        with pytest.raises(OptionError, match="stay in the output folder"):
            outputs([subject], naming=Naming(template, "png"))
    for template in ("{", "{content:d}", "{content.x}", "{}"):
        with pytest.raises(OptionError, match="template"):
            outputs([subject], naming=Naming(template, "png"))
    with pytest.raises(OptionError, match="255 bytes"):
        outputs([subject], naming=Naming("{content}" * 200, "png"))


def test_no_picture_lies_in_the_output(tmp_path):
    touch(tmp_path, "a.png")
    with pytest.raises(OptionError, match="no picture in the output folder"):
        outputs([Subject(str(tmp_path / "a.png"))], output=str(tmp_path))
    with pytest.raises(OptionError, match="no picture in the output folder"):
        outputs(SUBJECTS, [str(tmp_path / "a.png")], output=str(tmp_path))


def test_a_job_goes_through_json():
    job = Job("a.png", (("s.jpg", 2.0),), "x.png", (("size", "3"),), {"class": "ü"})
    assert Job.from_json(job.to_json()) == job
