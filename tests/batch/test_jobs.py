"""What a batch paints: pairs and names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylize import files
from stylize.batch.jobs import Job, Naming, Pairing, Subject, jobs
from stylize.config import FastConfig
from stylize.errors import OptionError

ALL = Pairing()
NAMING = Naming("{content}-{style}-{mode}", "png")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def outputs(
    subjects: Iterable[Subject],
    styles: Sequence[str] = ("s/waves.jpg",),
    pairing: Pairing = ALL,
    naming: Naming = NAMING,
    output: str = "out",
) -> list[str]:
    found = jobs(subjects, styles, pairing, naming, lambda cells: FastConfig(), output=output)
    return [job.output for job in found]


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


@pytest.mark.parametrize("label", [r"..\..\x", "C:x", "a?"])
def test_names_on_windows_leave_neither_folder_nor_drive(label, monkeypatch):
    subject = Subject("photos/a.jpg", labels={"class": label})
    naming = Naming("{class}-{content}", "png")
    if os.name != "nt":
        assert outputs([subject], naming=naming) == [f"{label}-a.png"]
    monkeypatch.setattr(files, "FORBIDDEN", files.FORBIDDEN_BY_WINDOWS)
    with pytest.raises(OptionError, match="name: expected names without"):
        outputs([subject], naming=naming)


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


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("photos.d/img", "img-.png"),
        ("img", "img-.png"),
        ("a.b.JPG", "a.b-JPG.png"),
        ("https://host/a.jpg?width=1.5", "a-jpg.png"),
    ],
)
def test_the_suffix_is_that_of_the_name_alone(content, name):
    assert outputs([Subject(content)], naming=Naming("{content}-{suffix}", "png")) == [name]


@pytest.mark.parametrize("template", ["{content}-{number}", "{number:03}"])
def test_a_column_that_a_field_hides_is_refused(template):
    subject = Subject("photos/a.jpg", labels={"number": 7})
    with pytest.raises(OptionError, match=r"name: .*received \{number\}, also a column of the table; rename"):
        outputs([subject], naming=Naming(template, "png"))
    assert outputs([subject], naming=Naming("{content}", "png")) == ["a.png"]


def test_a_long_name_is_shortened_and_stays_different_from_others():
    subjects = [Subject(f"{letter * 83}{number}.jpg") for letter in "äb" for number in (1, 2)]
    (folder, name), *others = (
        output.split("/")
        for output in outputs(subjects, naming=Naming("x" * 300 + "/{content}" * 1 + "y" * 300, "png"))
    )
    assert len(folder.encode()) == 255
    assert len(name.encode()) in (254, 255)  # a letter of two bytes is not cut
    assert name.endswith(".png")
    assert len({name, *(other for _, other in others)}) == 4


@pytest.mark.parametrize("spec", ["999999999", ">100", ".100", "0100", "{number}"])
def test_a_field_can_not_fill_the_memory(spec):
    with pytest.raises(OptionError, match="expected widths of up to 99"):
        Naming(f"{{number:{spec}}}", "png")
    assert outputs([SUBJECTS[0]], naming=Naming("{number:099}", "png")) == ["0" * 98 + "1.png"]


def test_no_picture_lies_in_the_output(tmp_path):
    touch(tmp_path, "a.png")
    with pytest.raises(OptionError, match="no picture in the output folder"):
        outputs([Subject(str(tmp_path / "a.png"))], output=str(tmp_path))
    with pytest.raises(OptionError, match="no picture in the output folder"):
        outputs(SUBJECTS, [str(tmp_path / "a.png")], output=str(tmp_path))


def test_a_job_goes_through_json():
    job = Job("a\udcff.png", (("s.jpg", 2.0),), "x.png", (("size", "3"),), {"class": "ü"}, ("m.png", "n.png"))
    assert Job.from_json(job.to_json()) == job
