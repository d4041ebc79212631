"""The web page without a browser: what the studio does, and the page's states by Streamlit's AppTest."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import socket
import sys
import threading
import types
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from samples import PACKAGE, painting
from stylize.app import server
from stylize.app.queue import QueuedRun
from stylize.app.studio import MAX_SIZE_PX, Painted, Studio, example_pictures, thumbnail
from stylize.cli.main import main
from stylize.config import AppConfig, FastConfig, RefineConfig
from stylize.errors import ImageError, StylizeError
from stylize.images import reading
from stylize.images.picture import Picture
from stylize.images.provenance import read_provenance
from stylize.networks.loaded import LoadedNetworks
from stylize.presets import PRESETS

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

PATIENCE_S = 60
PAGE = PACKAGE / "app" / "page.py"


def file_of(height: int = 48, width: int = 64, seed: int = 1, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    pixels = (painting(height, width, seed) * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def animation() -> bytes:
    stream, frames = io.BytesIO(), [Image.open(io.BytesIO(file_of(seed=seed))) for seed in (1, 2)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def half_transparent() -> bytes:
    """A picture whose right half is transparent."""
    stream = io.BytesIO()
    pixels = np.zeros((48, 64, 4), np.uint8)
    pixels[:, :32] = 30, 90, 60, 255
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def seen(jpeg: bytes) -> tuple[float, float]:
    """The mean brightness of the left and of the right half, 0 to 1."""
    pixels = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), np.float32) / 255
    middle = pixels.shape[1] // 2
    return float(pixels[:, : middle - 8].mean()), float(pixels[:, middle + 8 :].mean())


@pytest.fixture
def studio(traced_networks):
    studio = Studio(AppConfig(max_megapixels=1))
    yield studio
    studio.queue.close()


def wait_for(run: QueuedRun) -> QueuedRun:
    pause = threading.Event()
    for _ in range(PATIENCE_S * 100):
        if not run.active:
            return run
        pause.wait(0.01)
    raise AssertionError(f"still {run.state}")


# --------------------------------------------------------------------------------------------------------------------
# The studio


def test_an_upload_keeps_its_name_and_hash_and_no_more_pixels_than_are_painted(studio):
    data = file_of(600, 1200, kind="JPEG")
    picture = studio.read(data, "C:\\Users\\me\\photo.jpg")
    assert picture.path == "photo.jpg"
    assert picture.sha256 == reading.read_image(data).sha256
    assert (picture.height, picture.width) == (512, MAX_SIZE_PX)
    assert picture.full_size == (600, 1200)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (file_of(1000, 1001), r"photo\.png: expected 1 pixel to 1 megapixels, received 1001 x 1000 px"),
        (b"", "received an empty file"),
        (b"<svg onload=alert(1)>", "received an SVG, which is not supported"),
        (file_of()[:200], "received damaged or cut-off data"),
    ],
)
def test_a_hostile_upload_gives_one_line(studio, data, message):
    with pytest.raises(ImageError, match=message) as failure:
        studio.read(data, "photo.png")
    assert "\n" not in str(failure.value)


def test_an_upload_is_never_taken_for_a_style_of_ours(studio):
    assert studio.read(file_of(), "@swirls").path == "./@swirls"
    assert example_pictures("style")["Woodcut"][0].path == "@woodcut"


def test_a_refinement_comes_home_as_files(studio, tmp_path):
    content, style = studio.read(file_of(), "photo.png"), example_pictures("style")["Woodcut"][0]
    steps = []
    run = studio.refine("me", content, [(style, 1.0)], RefineConfig(size=64, steps=4), "default")
    steps.append(run.progress)
    painted = wait_for(run).result
    assert run.progress.step == run.progress.steps == 4
    assert painted.name == "photo-woodcut-refine"
    path = tmp_path / "painted.png"
    path.write_bytes(painted.picture)
    provenance = read_provenance(path)
    assert provenance == json.loads(painted.provenance)
    assert provenance["options"]["steps"] == 4
    assert provenance["content"] == {"path": "photo.png", "sha256": content.sha256}
    assert str(PACKAGE.parent) not in painted.provenance
    film = Image.open(io.BytesIO(painted.film))
    assert film.format == "WEBP"
    assert film.n_frames > 2
    assert painted.slider.count("<img") == 3
    assert not painted.stopped


def test_a_stopped_refinement_keeps_the_best_so_far(studio):
    content = studio.read(file_of(), "photo.png")
    run = studio.refine("me", content, [(content, 1.0)], RefineConfig(size=64, steps=2000))
    pause = threading.Event()
    while run.progress is None and run.active:
        pause.wait(0.01)
    studio.queue.stop(run)
    painted = wait_for(run).result
    assert painted.stopped
    assert 0 < len(painted.history) < 2000
    assert Image.open(io.BytesIO(painted.picture)).size == (64, 48)


def test_a_refinement_that_cannot_be_tells_why(studio):
    content = studio.read(file_of(), "photo.png")
    config = RefineConfig(size=64, steps=4).replace(content_layers=(("relu5_4", 1.0),))
    assert "that reaches relu5_4" in wait_for(studio.refine("me", content, [(content, 1.0)], config)).error


def test_transparent_parts_are_white_wherever_the_picture_is_shown(studio):
    content, style = studio.read(half_transparent(), "photo.png"), example_pictures("style")["Woodcut"][0]
    run = studio.refine("me", content, [(style, 1.0)], RefineConfig(size=64, steps=2))
    shown = wait_for(run).result
    np.testing.assert_array_equal(run.progress.picture.alpha, content.alpha)
    for jpeg in (thumbnail(content), shown.thumbnail):
        left, right = seen(jpeg)
        assert left < 0.9
        assert right == pytest.approx(1, abs=0.02)


def test_what_a_visitor_should_know_comes_with_the_result(studio):
    content, style = studio.read(file_of(), "photo.png"), studio.read(animation(), "style.gif")
    painted = wait_for(studio.refine("me", content, [(style, 1.0)], RefineConfig(size=64, steps=2))).result
    assert "style: animated: the first of 2 frames is used" in painted.messages


def test_nothing_is_left_on_disk(studio, tmp_path):
    content = studio.read(file_of(), "photo.png")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    studio.preview(content, [(content, 1.0)], FastConfig(size=64, strength=0.5))
    wait_for(studio.refine("me", content, [(content, 1.0)], RefineConfig(size=64, steps=2)))
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


def test_only_networks_that_are_here_are_offered(studio):
    assert studio.feature_networks() == ["auto", "vgg19-slim"]


# --------------------------------------------------------------------------------------------------------------------
# The page


@pytest.fixture
def page(studio, monkeypatch):
    testing = pytest.importorskip("streamlit.testing.v1", reason="Streamlit is not installed")
    import streamlit
    from streamlit.runtime.scriptrunner import script_runner

    from stylize.app import slider

    def native_slider(label, values, value, *, unit, key, on_change):
        return streamlit.select_slider(label, list(values), value, key=key, on_change=on_change)

    monkeypatch.setattr(server, "studio", studio)
    # As `serve` does: a run of the page would clear what a refinement has compiled.
    monkeypatch.setattr(script_runner, "_clean_problem_modules", lambda: None)
    # AppTest moves Streamlit's own sliders; the browser's tests move ours.
    monkeypatch.setattr(slider, "slider", native_slider)
    # Each AppTest has a registry of components of its own; ours are registered when they are imported.
    for name in ("refinement", "curves"):
        monkeypatch.delitem(sys.modules, f"stylize.app.{name}", raising=False)
    page = testing.AppTest.from_file(str(PAGE), default_timeout=PATIENCE_S).run()
    assert not page.exception
    slide(page, "size", 256)
    yield page
    assert not page.exception


def pictures(page: AppTest) -> list[str]:
    return [html.proto.body for html in page.get("html") if 'class="picture"' in html.proto.body]


def slide(page: AppTest, key: str, value: int) -> None:
    page.select_slider(key=key).set_value(value).run()


def set_steps(page: AppTest, steps: int) -> None:
    page.number_input(key="default_steps").set_value(steps).run()


def until(page: AppTest, condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(PATIENCE_S * 10):
        page.run()
        if condition():
            return
        pause.wait(0.1)
    raise AssertionError("it did not come")


def said(page: AppTest) -> str:
    return "".join(element.value for element in (*page.caption, *page.error)).replace("\\", "")


def result_is_shown(page: AppTest) -> bool:
    return any("before-after" in html.proto.body and "<img" in html.proto.body for html in page.get("html"))


def test_a_preview_is_there_at_once_and_follows_every_control(page):
    seen = {pictures(page)[0]}
    for change in (
        lambda: slide(page, "strength", 50),
        lambda: slide(page, "size", 320),
        lambda: page.checkbox(key="keep_colors").check(),
        lambda: page.button(key="style_example_watercolour").click(),
        lambda: page.button(key="photo_example_harbour").click(),
        lambda: page.toggle(key="blended").set_value(True),
        lambda: slide(page, "blend", 90),
    ):
        change()
        page.run()
        assert not page.error
        (picture,) = pictures(page)
        assert picture not in seen
        seen.add(picture)


def test_uploads_are_painted_until_an_example_is_chosen(page):
    (before,) = pictures(page)
    page.file_uploader[0].upload("photo.png", file_of(), "image/png").run()
    (own,) = pictures(page)
    assert own != before
    assert page.button(key="photo_own")
    page.button(key="photo_example_lake").click().run()
    assert pictures(page) == [before]
    assert page.file_uploader[0].value is None


def test_a_bad_upload_is_one_line_and_nothing_to_generate(page):
    page.file_uploader[0].upload("![x](data:x).png", file_of()[:99], "image/png").run()
    assert "damaged or cut-off data" in said(page)
    assert "\\!\\[x\\]\\(data" in page.error[0].value  # the name is text, not Markdown
    assert page.button(key="generate").disabled
    assert not pictures(page)
    page.button(key="photo_example_lake").click().run()
    assert not page.error
    assert not page.button(key="generate").disabled


def test_what_a_visitor_should_know_of_an_upload_stands_below_it(page):
    page.file_uploader[0].upload("photo.gif", animation(), "image/gif").run()
    assert "animated: the first of 2 frames is used" in said(page)
    page.button(key="photo_example_lake").click().run()
    assert "animated" not in said(page)


def test_the_button_of_an_upload_shows_what_is_transparent_as_white(page):
    page.file_uploader[0].upload("photo.png", half_transparent(), "image/png").run()
    (style,) = [each.proto.body for each in page.get("html") if ".st-key-photo_own" in each.proto.body]
    left, right = seen(base64.b64decode(re.search(r"base64,([^)]*)", style)[1]))
    assert left < 0.5
    assert right == pytest.approx(1, abs=0.02)


@pytest.mark.slow
def test_generate_shows_the_result_and_keeps_a_history(page):
    set_steps(page, 3)
    page.button(key="generate").click().run()
    assert page.button(key="generate").disabled
    until(page, lambda: result_is_shown(page))
    assert page.session_state.view == "Refined"
    assert "256 px, preset default, 3 steps of lbfgs" in said(page)
    assert [button.key for button in page.get("download_button")] == ["download_png", "download_webp", "download_json"]
    first = page.session_state.shown

    set_steps(page, 2)
    page.button(key="generate").click().run()
    until(page, lambda: len(page.session_state.history) == 2 and result_is_shown(page))
    assert page.session_state.shown is not first
    page.button(key="history_1").click().run()
    assert page.session_state.shown is first
    page.checkbox(key="keep_colors").check().run()  # whoever changes it wants to see the preview
    assert not result_is_shown(page)
    assert pictures(page)


@pytest.mark.slow
def test_history_is_bounded(page, monkeypatch):
    set_steps(page, 1)
    page.button(key="generate").click().run()
    until(page, lambda: len(page.session_state.history) == 1)
    (painted,) = page.session_state.history
    page.session_state.history = [painted] * 12
    page.button(key="generate").click().run()
    until(page, lambda: page.session_state.run is None)
    assert len(page.session_state.history) == 12
    assert sum(each is painted for each in page.session_state.history) == 11


@pytest.mark.slow
def test_stop_keeps_the_best_so_far(page, studio):
    set_steps(page, 2000)
    page.button(key="generate").click().run()
    until(page, lambda: "of 2000" in page.get("progress")[0].proto.text)
    page.button(key="stop").click().run()
    until(page, lambda: result_is_shown(page))
    assert "(stopped)" in said(page)


def test_ones_place_in_the_queue_is_shown_and_a_full_queue_says_so(page, studio):
    gate = threading.Event()
    studio.queue.submit("one", lambda run: gate.wait(PATIENCE_S))
    studio.queue.submit("two", lambda run: None)
    page.button(key="generate").click().run()
    assert page.get("progress")[0].proto.text == "In the queue: number 2"
    page.button(key="stop").click().run()
    page.run()
    assert page.session_state.run is None
    for number in range(studio.config.max_queue - 1):
        studio.queue.submit(str(number), lambda run: None)
    page.button(key="generate").click().run()
    assert "the queue is full" in page.error[0].value
    assert pictures(page)
    gate.set()


def test_what_the_optimiser_cannot_do_is_told(page):
    page.multiselect(key="default_Content layers").set_value(["relu5_4"]).run()
    page.button(key="generate").click().run()
    until(page, lambda: page.session_state.run is None)
    assert "that reaches relu5_4" in said(page)
    page.multiselect(key="default_Content layers").set_value([]).run()
    assert "layers: expected at least one layer" in said(page)
    assert page.button(key="generate").disabled


def test_a_slider_leads_from_the_scene_to_the_style(page):
    for balance, weight in (("bold", 0.32), ("faithful", 1.27)):
        page.select_slider(key="balance").set_value(balance).run()
        assert page.number_input(key=f"{balance}_Content weight").value == weight
        assert page.selectbox(key="preset").options[0] == balance
    page.selectbox(key="preset").set_value("neighbors").run()
    assert not page.error
    assert page.multiselect(key="neighbors_Style layers").value == []


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_its_panel(page, name):
    if name in ("faithful", "default", "bold"):
        page.select_slider(key="balance").set_value(name).run()
    else:
        page.selectbox(key="preset").set_value(name).run()
    assert not page.exception
    assert not page.error
    assert page.number_input(key=f"{name}_steps").value == PRESETS[name].config.steps
    assert not page.button(key="generate").disabled


def test_the_slider_of_some_presets_rests_for_the_others(page):
    assert not page.select_slider(key="balance").disabled
    page.selectbox(key="preset").set_value("gatys").run()
    assert page.select_slider(key="balance").disabled
    page.selectbox(key="preset").set_value("default").run()
    assert not page.select_slider(key="balance").disabled


def asked_for(page: AppTest, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> RefineConfig:
    """The config of the run that the button asks for."""
    asked = []

    def refuse(visitor, content, styles, config, preset):
        asked.append(config)
        raise StylizeError("not now")

    monkeypatch.setattr(studio, "refine", refuse)
    page.button(key="generate").click().run()
    return asked[0]


@pytest.mark.parametrize(
    ("preset", "removed", "added", "weights"),
    [
        ("ml-art-combine", "relu3_1", ["relu3_1"], {}),
        ("ml-art-combine", "relu3_1", [], {"relu3_1": None}),
        ("ml-art-combine", "relu3_1", ["relu2_2"], {"relu3_1": None, "relu2_2": 0.05}),
        ("neighbors", None, ["relu2_2"], {"relu2_2": 1.0}),
    ],
)
def test_layers_of_the_preset_keep_their_weights(page, studio, monkeypatch, preset, removed, added, weights):
    page.selectbox(key="preset").set_value(preset).run()
    field = page.multiselect(key=f"{preset}_Style layers")
    field.set_value([name for name in field.value if name != removed]).run()
    field = page.multiselect(key=f"{preset}_Style layers")
    field.set_value([*field.value, *added]).run()
    wanted = {**dict(PRESETS[preset].config.loss.style_layers), **weights}
    loss = asked_for(page, studio, monkeypatch).loss
    assert dict(loss.style_layers) == pytest.approx({name: each for name, each in wanted.items() if each is not None})
    if added:
        further = weights.get(added[0], 0.05)
        assert f"A further layer weighs {further:g}." in page.multiselect(key=f"{preset}_Style layers").help


def finished() -> Painted:
    picture = Picture(painting(48, 64, 1))
    return Painted(
        "photo-woodcut-refine", b"", b"", "{}", "<div></div>", thumbnail(picture), RefineConfig(size=64), "default",
        (), (64,), 1.0, stopped=False, messages=(),
    )  # fmt: skip


def test_earlier_results_wait_while_a_run_is_shown(page, studio):
    gate = threading.Event()
    studio.queue.submit("one", lambda run: gate.wait(PATIENCE_S))
    first, second = finished(), finished()
    page.session_state.history = [second, first]
    page.run()
    page.button(key="history_1").click().run()
    assert page.session_state.shown is first
    page.button(key="generate").click().run()
    assert [page.button(key=f"history_{index}").disabled for index in (0, 1)] == [True, True]
    page.button(key="stop").click().run()
    page.run()
    assert [page.button(key=f"history_{index}").disabled for index in (0, 1)] == [False, False]
    gate.set()


def test_results_of_the_visit_have_names_of_their_own(page):
    page.session_state.history = [finished() for _ in range(3)]
    page.run()
    names = [page.button(key=f"history_{index}").label.replace("\\", "") for index in range(3)]
    assert names[0] == "Show 3: photo-woodcut-refine, 64 px, preset default"
    assert len(set(names)) == 3


def interrupt() -> None:
    """Ask for a rerun, as any change of a visitor does: the page ends at its next access to the session state."""
    from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx

    context = get_script_run_ctx()
    context.script_requests.request_rerun(RerunData(page_script_hash=context.page_script_hash))


def test_a_change_loses_no_run(page, studio, monkeypatch):
    gate, refine = threading.Event(), studio.refine
    studio.queue.submit("one", lambda run: gate.wait(PATIENCE_S))

    def interrupted(*arguments):
        run = refine(*arguments)
        interrupt()
        return run

    monkeypatch.setattr(studio, "refine", interrupted)
    page.button(key="generate").click().run()
    assert studio.queue.position(page.session_state.run) == 1
    assert not page.error
    assert "requested" not in page.session_state
    page.button(key="stop").click().run()
    gate.set()


class Ended:
    """A run that has ended; the page is interrupted when it asks for the state or the result for the n-th time."""

    active = False

    def __init__(self, painted: Painted, interrupted_at: int) -> None:
        self._painted, self._left = painted, interrupted_at

    def _seen(self) -> None:
        self._left -= 1
        if self._left == 0:
            interrupt()

    @property
    def state(self) -> str:
        self._seen()
        return "done"

    @property
    def result(self) -> Painted:
        self._seen()
        return self._painted


@pytest.mark.parametrize("interrupted_at", range(1, 6))
def test_a_change_loses_no_picture(page, interrupted_at):
    earlier, painted = finished(), finished()
    page.session_state.history = [earlier]
    page.session_state.run = Ended(painted, interrupted_at)
    page.run()
    assert page.session_state.run is None
    assert page.session_state.shown is painted
    assert page.session_state.history == [painted, earlier]


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1))
@example("a&copy;b.png")
@example("a\\&amp;\\*b*.png")
def test_markdown_shows_a_name_as_it_is(name):
    markdown_it = pytest.importorskip("markdown_it", reason="the Markdown parser of rich is not installed")
    pytest.importorskip("streamlit", reason="Streamlit is not installed")
    from stylize.app.markup import escaped

    assert html.unescape(markdown_it.MarkdownIt("commonmark").renderInline(escaped(name))) == name


def test_the_panel_follows_the_preset(page, studio):
    page.selectbox(key="preset").set_value("gatys").run()
    assert page.number_input(key="gatys_steps").value == 500
    page.number_input(key="gatys_steps").set_value(2).run()
    page.button(key="generate").click().run()
    until(page, lambda: result_is_shown(page))
    assert page.session_state.shown.config.init == "noise"


# --------------------------------------------------------------------------------------------------------------------
# The server


def test_a_run_of_the_page_leaves_keras_alone(monkeypatch):
    """A refinement may be building its graph in a thread of its own."""
    testing = pytest.importorskip("streamlit.testing.v1", reason="Streamlit is not installed")
    from streamlit.web import cli

    cleared = []
    backend = types.SimpleNamespace(clear_session=lambda: cleared.append(True))
    monkeypatch.setitem(sys.modules, "keras", types.SimpleNamespace(backend=backend))

    def page_runs(*_, **__):
        assert testing.AppTest.from_string("import streamlit; streamlit.text('here')").run().text[0].value == "here"

    page_runs()
    assert cleared, "Streamlit has changed: is the server's patch still needed?"
    cleared.clear()
    from streamlit.runtime.scriptrunner import script_runner

    monkeypatch.setattr(script_runner, "_clean_problem_modules", script_runner._clean_problem_modules)
    monkeypatch.setattr(cli, "main", page_runs)
    server.serve(AppConfig(), LoadedNetworks(cache_to_disk=False), browser=False)
    assert not cleared


# --------------------------------------------------------------------------------------------------------------------
# The command


def test_misuse_is_told_before_anything_starts(tiny_networks):
    result = CliRunner().invoke(main, ["app", "--port", "0"])
    assert result.exit_code == 2
    assert "port: expected a whole number of 1 to 65535, received 0" in result.output


def test_a_missing_extra_names_itself(tiny_networks, monkeypatch):
    monkeypatch.setitem(sys.modules, "streamlit", None)
    result = CliRunner().invoke(main, ["app"])
    assert result.exit_code == 1
    assert 'pip install "stylize-art[app]"' in result.output


def test_a_port_in_use_is_one_line(tiny_networks):
    pytest.importorskip("streamlit", reason="Streamlit is not installed")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = CliRunner().invoke(main, ["app", "--port", str(port)])
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}: can't be listened on" in result.output


def test_no_place_for_nonsense():
    for options in ({"port": 70000}, {"max_refinements": 0}, {"max_queue": -1}, {"max_upload_mb": 0}):
        with pytest.raises(StylizeError, match="expected"):
            AppConfig(**options)
