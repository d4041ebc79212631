"""The project's own styles by name, wherever a style is given."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import stylize
from samples import EXAMPLES, painting
from stylize import files
from stylize.errors import ImageError
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image
from stylize.styles import DESCRIPTIONS, StyleName, file_of, named, names, style_stem

SWIRLS = EXAMPLES / "style_swirls.jpg"


def test_every_style_has_a_picture_and_every_picture_a_name() -> None:
    pictures = {path.stem.removeprefix("style_") for path in (EXAMPLES).glob("style_*.jpg")}
    assert set(DESCRIPTIONS) == pictures
    assert all(len(line) <= 47 for line in DESCRIPTIONS.values())  # a line of `stylize styles` in 80 columns
    for name in names():
        with Image.open(StyleName(name).file) as picture:
            assert 512 <= max(picture.size) <= 1024


def test_a_name_stands_for_its_file() -> None:
    name = StyleName("@swirls")
    assert name == "@swirls"
    assert name.stem == style_stem("@swirls") == "swirls"
    assert name.file.samefile(SWIRLS)
    assert file_of("@swirls") == str(name.file)
    assert pickle.loads(pickle.dumps(name)).file == name.file
    for place in ("./@swirls", "photos/@swirls.jpg", "swirls", Path("@swirls")):
        assert named(place) is place
    assert file_of("./@swirls") == "./@swirls"
    assert style_stem("s/waves.jpg") == "waves"


@pytest.mark.parametrize(
    ("text", "nearest"), [("@swirl", "@swirls"), ("@Woodcuts", "@woodcut"), ("@", "@swirls"), ("@a\nb", "@swirls")]
)
def test_an_unknown_name_is_answered_with_the_nearest(text: str, nearest: str) -> None:
    with pytest.raises(ImageError) as caught:
        named(text)
    message = str(caught.value)
    assert message.startswith("style @")
    assert nearest in message
    assert "`stylize styles` shows all" in message
    assert "\n" not in message


def test_python_takes_names_with_and_without_weights(shipped_networks: None) -> None:
    photo = painting(32, 48, 1)
    by_name = stylize.fast(photo, "@swirls", size=48, network="mini")
    by_file = stylize.fast(photo, SWIRLS, size=48, network="mini")
    np.testing.assert_array_equal(by_name.image, by_file.image)
    record = {"path": "@swirls", "sha256": files.sha256(str(SWIRLS)), "weight": 1.0}
    assert by_name.provenance["styles"] == [record]
    blend = stylize.fast(photo, [("@swirls", 3), ("@woodcut", 1)], size=48, network="mini")
    assert [(each["path"], each["weight"]) for each in blend.provenance["styles"]] == [
        ("@swirls", 0.75),
        ("@woodcut", 0.25),
    ]
    with pytest.raises(ImageError, match="@swirls"):
        stylize.fast(photo, "@swirl", size=48, network="mini")


def test_the_name_stays_a_name_in_the_picture(
    shipped_networks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = stylize.fast(painting(32, 48, 1), "@swirls", size=48, network="mini")
    result.save(tmp_path / "out.png")
    provenance = read_provenance(tmp_path / "out.png")
    assert provenance is not None
    assert provenance["styles"][0]["path"] == "@swirls"


def test_a_file_whose_name_begins_with_the_mark_stays_a_file(
    shipped_networks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXAMPLES / "style_woodcut.jpg", "@swirls")
    for source in (Path("@swirls"), "./@swirls"):
        result = stylize.fast(painting(32, 48, 1), source, size=48, network="mini")
        assert result.provenance["styles"][0]["sha256"] == files.sha256("@swirls")
        assert result.provenance["styles"][0]["path"] == "./@swirls"
        result.save("out.png", overwrite=True)
        provenance = read_provenance("out.png")
        assert provenance is not None
        assert provenance["styles"][0]["path"] == "./@swirls"
    assert read_image("@swirls").path == "./@swirls"
