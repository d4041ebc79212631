"""Magenta's SavedModel, converted to LiteRT once and kept; small SavedModels stand in for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import stylize
from samples import painting, small_hub_network
from stylize.cli.main import main
from stylize.networks import conversion, magenta, store
from stylize.networks.loaded import load_magenta
from stylize.networks.magenta import ConvertedStylizer, MagentaStylizer


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STYLIZE_OFFLINE", "1")
    return tmp_path / "home"


def serves_as() -> str:
    return next(entry.serves_as for entry in store.status() if entry.name == "magenta")


def no_saved_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(self: MagentaStylizer, folder: Path) -> None:
        raise AssertionError("TensorFlow is imported")

    monkeypatch.setattr(MagentaStylizer, "__init__", loaded)


def test_the_first_use_converts_and_the_next_needs_no_tensorflow(hub_network, home, monkeypatch):
    found = store.add("magenta", hub_network)
    assert "not converted to LiteRT yet" in serves_as()
    assert conversion.find(found) is None
    original = MagentaStylizer(found.folder)
    messages = []
    content, style = painting(64, 96, 0), painting(70, 90, 1)
    first = stylize.fast(content, style, size=96, network="magenta", on_message=messages.append)
    assert messages == ["converting magenta to LiteRT, once, so that it starts quicker from now on"]
    assert serves_as().startswith("LiteRT (LiteRT's pictures differ by at most")
    assert sorted(path.name for path in found.folder.glob("conver*")) == ["conversion.json", "converted.tflite"]
    no_saved_model(monkeypatch)
    again = stylize.fast(content, style, size=96, network="magenta", on_message=messages.append)
    np.testing.assert_array_equal(first.image, again.image)
    assert len(messages) == 1
    converted = load_magenta(found)
    assert isinstance(converted, ConvertedStylizer)
    for size in ((64, 96), (61, 33), (200, 130), (5, 7)):
        content = painting(*size, 3)
        for strength in (0.0, 0.5, 1.0):
            styles = [(style, 0.25), (painting(300, 260, 4), 0.75)]
            ours, theirs = (each.stylize(content, styles, strength) for each in (converted, original))
            assert ours.shape == content.shape
            assert np.abs(ours - theirs).max() <= 0.02


@pytest.mark.parametrize("why", ["does not convert", "differs"])
def test_a_saved_model_that_can_not_be_converted_goes_on_serving(why, home, tmp_path, monkeypatch):
    folder = small_hub_network(tmp_path / "hub", unknown_to_litert=why == "does not convert")
    if why == "differs":
        other = MagentaStylizer(small_hub_network(tmp_path / "other", brightness=0.03))
        data = other.to_litert()
        monkeypatch.setattr(MagentaStylizer, "to_litert", lambda self: data)
    result = CliRunner().invoke(main, ["models", "add", "magenta", str(folder)])
    assert result.exit_code == 0, result.output
    assert "magenta goes on as a SavedModel" in result.stderr
    found = store.find("magenta")
    assert not (found.folder / "converted.tflite").exists()
    expected = {
        "does not convert": "conversion to LiteRT failed (ConverterError",
        "differs": "differ by 0.03, more than",
    }
    assert serves_as().startswith("SavedModel (")
    assert expected[why] in serves_as()
    listed = CliRunner().invoke(main, ["models", "list"])
    assert f"magenta: runs as {serves_as()}" in listed.stderr
    as_json = json.loads(CliRunner().invoke(main, ["models", "list", "--json"]).stdout)
    assert as_json[0]["serves_as"] == serves_as()

    # Nor is it tried again on every run.
    def again(stylizer):
        raise AssertionError("converted again")

    monkeypatch.setattr(magenta, "convert", again)
    picture = stylize.fast(painting(40, 60, 0), painting(60, 60, 1), size=60, network="magenta").image
    np.testing.assert_array_equal(
        picture, MagentaStylizer(found.folder).stylize(painting(40, 60, 0), [(painting(60, 60, 1), 1.0)], 1.0)
    )


def test_models_add_converts_at_once(hub_network, home, monkeypatch):
    result = CliRunner().invoke(main, ["models", "add", "magenta", str(hub_network)])
    assert result.exit_code == 0, result.output
    assert serves_as().startswith("LiteRT")
    no_saved_model(monkeypatch)
    assert isinstance(load_magenta(store.find("magenta")), ConvertedStylizer)


def test_a_conversion_cut_short_leaves_nothing_and_is_done_next_time(hub_network, home, monkeypatch):
    found = store.add("magenta", hub_network)
    before = sorted(path.name for path in found.folder.iterdir())

    def interrupted(stylizer):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(magenta, "convert", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_magenta(found)
    assert sorted(path.name for path in found.folder.iterdir()) == before
    assert not list((home / "models").glob("*.part"))
    assert isinstance(load_magenta(found), ConvertedStylizer)


def test_a_damaged_conversion_is_done_anew(hub_network, home):
    found = store.add("magenta", hub_network)
    load_magenta(found)
    path = found.folder / "converted.tflite"
    right = path.read_bytes()
    for damaged in (right[:-10], right[:-1] + b"x"):
        path.write_bytes(damaged)
        assert conversion.find(found) is None
        assert isinstance(load_magenta(found), ConvertedStylizer)
        assert conversion.find(found).path == path
    (found.folder / "conversion.json").write_text("{")
    assert conversion.find(found) is None


def test_a_conversion_is_of_one_saved_model(hub_network, home, tmp_path):
    load_magenta(store.add("magenta", hub_network))
    found = store.add("magenta", small_hub_network(tmp_path / "other", brightness=0.1))
    assert conversion.find(found) is None


def test_a_home_that_can_not_be_written_to_leaves_the_saved_model(hub_network, home):
    found = store.add("magenta", hub_network)
    lock = home / "models" / ".magenta.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()  # A folder where the lock's file belongs: nobody can hold the lock, not even root.
    messages: list[str] = []
    assert isinstance(load_magenta(found, messages.append), MagentaStylizer)
    assert len(messages) == 1, "nothing is converted"
    assert messages[0].startswith(f"magenta goes on as a SavedModel: can't store magenta in {home / 'models'}: ")
