"""What a batch paints: pictures found, pairs, names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylize import files
from stylize.batch.jobs import Job, Naming, Pairing, Subject, jobs, styles_of_places, subjects_of_places
from stylize.config import FastConfig
from stylize.errors import OptionError, StylizeError

ALL = Pairing()
NAMING = Naming("{content}-{style}-{mode}", "png")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def found(place: str | Path, leave_out: str | Path = "nowhere") -> list[str]:
    return [below for _, below in files.pictures(str(place), "content", leave_out=str(leave_out))]


def outputs(
    subjects: Iterable[Subject],
    styles: Sequence[str] = ("s/waves.jpg",),
    pairing: Pairing = ALL,
    naming: Naming = NAMING,
    output: str = "out",
) -> list[str]:
    found = jobs(subjects, styles, pairing, naming, lambda cells: FastConfig(), output=output)
    return [job.output for job in found]


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
        found = jobs(subjects, STYLES, pairing, NAMING, lambda cells: FastConfig(), output="out")
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
