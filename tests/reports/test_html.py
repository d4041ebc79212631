"""Pages in a real browser: what is shown, what moves, and that nothing is asked of anywhere."""

from __future__ import annotations

import dataclasses
import html
import io
import itertools
import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from stylize.cli.main import main
from stylize.config import FastConfig, RefineConfig
from stylize.errors import OptionError
from stylize.images.picture import Picture
from stylize.optimize.history import HistoryEntry, LossTerms
from stylize.optimize.pyramid import PyramidLevel
from stylize.reports.film import Film
from stylize.reports.html import report, slider
from stylize.transfer.results import Comparison, NetworkUse, Scored, TransferResult

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = """</script><script>alert(1)</script>"'><img src=x onerror=alert(2)>&amp;.png"""


def flat(
    red: float, green: float, blue: float, height: int = 200, width: int = 300, alpha: NDArray[np.float32] | None = None
) -> Picture:
    return Picture(np.full((height, width, 3), (red, green, blue), np.float32), alpha)


RED, GREEN, BLUE = flat(1, 0, 0), flat(0, 1, 0), flat(0, 0, 1)


@pytest.fixture
def visit_html(visit, tmp_path):
    def visit_html(html, **options):
        path = tmp_path / "page.html"
        path.write_text(f"<!doctype html><meta charset=utf-8><title>test</title>{html}", "utf-8")
        return visit(path.as_uri(), **options)

    return visit_html


def colours(page: Page, selector: str = ".stage", y: float = 0.8) -> str:
    """What a row of the element shows at an eighth, three, five and seven eighths of its width: r, g, b or other."""
    seen = Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB")
    names = []
    for eighth in (1, 3, 5, 7):
        pixel = seen.getpixel((seen.width * eighth // 8, int(seen.height * y)))
        loud = [channel > 200 for channel in pixel]
        names.append({(1, 0, 0): "r", (0, 1, 0): "g", (0, 0, 1): "b"}.get(tuple(loud), "?"))
    return "".join(names)


def test_the_divider_moves_by_mouse_and_by_keys(visit_html):
    page = visit_html(slider([("content", RED), ("refined", GREEN)]), width=800)
    assert colours(page) == "rrgg"
    box = page.locator(".stage").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, middle, steps=4)
    assert colours(page) == "rggg"
    page.mouse.move(box["x"] + box["width"] * 2, middle)
    assert colours(page) == "rrrr"
    page.mouse.up()
    position = page.get_by_role("slider")
    assert position.get_attribute("aria-valuetext") == "100 % content, 0 % refined"
    for _ in range(70):
        page.keyboard.press("ArrowLeft")  # the mouse has left the focus there
    assert colours(page) == "rggg"
    assert position.get_attribute("aria-valuetext") == "30 % content, 70 % refined"
    page.keyboard.press("Home")
    assert colours(page) == "gggg"
    assert position.get_attribute("aria-label") == "Divider: content on the left, refined on the right"


def test_any_two_of_many_are_chosen(visit_html):
    page = visit_html(slider([("content", RED), ("fast", GREEN), ("refined", BLUE)], left=1), width=800)
    assert colours(page) == "ggbb"
    left, right = page.get_by_label("Left side"), page.get_by_label("Right side")
    left.select_option("content")
    assert colours(page) == "rrbb"
    left.select_option("refined")  # what the right has: they change places
    assert colours(page) == "bbrr"
    assert right.evaluate("select => select.selectedOptions[0].text") == "content"
    right.select_option("fast")
    assert colours(page) == "bbgg"
    assert page.get_by_role("slider").get_attribute("aria-label") == "Divider: refined on the left, fast on the right"
    shown = page.get_by_role("img")
    assert [shown.nth(i).get_attribute("alt") for i in range(shown.count())] == ["fast", "refined"]


def test_a_finger_moves_the_divider(visit_html):
    page = visit_html(slider([("content", RED), ("refined", GREEN)]), width=375, has_touch=True)
    box = page.locator(".stage").bounding_box()
    assert box["width"] <= 375
    page.touchscreen.tap(box["x"] + box["width"] * 0.2, box["y"] + 20)
    assert colours(page) == "rggg"


def test_sliders_of_one_document_move_apart(visit_html):
    both = slider([("a", RED), ("b", GREEN)]) + slider([("c", BLUE), ("d", GREEN)])
    page = visit_html(both, width=500, height=1200)
    page.get_by_role("slider").nth(1).press("End")
    stages = page.locator(".stage")
    assert stages.count() == 2
    assert colours(page) == "rrgg"
    assert page.locator(".before-after").nth(1).evaluate("e => e.style.getPropertyValue('--ba-at')") == "100%"


def test_what_is_transparent_shows_the_page_and_not_the_other_side(visit_html):
    alpha = np.ones((200, 300), np.float32)
    alpha[100:] = 0
    html = "<style>body { background: #00f }</style>" + slider(
        [("content", RED), ("refined", flat(0, 1, 0, alpha=alpha))]
    )
    page = visit_html(html)
    assert colours(page, y=0.2) == "rrgg"
    assert colours(page, y=0.8) == "rrbb"


def test_names_are_text(visit_html):
    names = [HOSTILE, "refined", HOSTILE + "2"]
    page = visit_html(slider(list(zip(names, (RED, GREEN, BLUE), strict=True))))
    assert page.get_by_label("Left side").locator("option").all_text_contents() == names
    assert page.locator(".of-left").text_content() == HOSTILE
    assert page.locator("img[src=x]").count() == 0


def test_a_picture_of_another_shape_is_not_squashed(visit_html):
    page = visit_html(slider([("style", flat(1, 0, 0, height=300, width=100)), ("refined", GREEN)]), width=800)
    page.get_by_role("slider").press("End")
    stage = page.locator(".stage").bounding_box()
    assert stage["width"] / stage["height"] == pytest.approx(1.5, abs=0.02)
    assert colours(page) == "????"  # 100 of 900 px are red, in the middle
    seen = np.asarray(Image.open(io.BytesIO(page.locator(".stage").screenshot())).convert("RGB"))[-20]
    red = np.flatnonzero((seen[:, 0] > 200) & (seen[:, 1] < 60))
    assert len(red) / len(seen) == pytest.approx(100 / 900 * 2, abs=0.02)


def test_one_picture_is_refused():
    with pytest.raises(OptionError, match="expected two pictures or more, received 1"):
        slider([("content", RED)])


def test_large_pictures_are_shrunk():
    large = Picture(np.random.default_rng(0).random((2000, 3000, 3), np.float32))
    assert len(slider([("content", large), ("refined", RED)])) < 3_000_000


# ----------------------------------------------------------------------------------------------------------
# The report

FEATURES = NetworkUse("vgg19-slim", "embedded", {"vgg19_slim.safetensors": "0" * 64})
STYLIZER = NetworkUse("mini", "embedded", {"mini.tflite": "0" * 64})
COMMAND = ["stylize", "compare", "-c", "it's <b>.jpg", "-s", "$HOME/a b.jpg"]


def terms(total: float) -> LossTerms:
    styles = {f"relu{block}_1": total / block for block in range(1, 6)}
    return LossTerms(total, total / 2, total / 3, 0.1, {"relu3_1": total / 2, "relu4_2": total / 4}, styles)


def compared(
    name: str = "photo.jpg",
    style: str = "painting.jpg",
    *,
    labels: Sequence[str] | None = None,
    content: Picture = RED,
    fast: Picture = GREEN,
    refined: Picture = BLUE,
) -> Comparison:
    """A comparison of flat pictures: painted, or with `labels` of finished pictures."""
    history = tuple(HistoryEntry(1 + step // 20, step, step * 2.0, terms(9 / step)) for step in range(1, 40))
    paint = labels is None
    named = zip(labels or ("fast", "refined"), (fast, refined) * 3, strict=False)
    scores = tuple(
        Scored(
            label, picture.pixels, 0.5 / number, 0.25 / number, {"relu1_1": 0.25, "relu2_1": 0.125}, 0.75,
            seconds=1.5 * number if paint else None, peak_memory_bytes=10**9 if paint else None,
            networks=(FEATURES, STYLIZER) if paint else (), losses=terms(1 / number) if paint else None,
        )
        for number, (label, picture) in enumerate(named, start=1)
    )  # fmt: skip
    results = tuple(
        TransferResult(mode, picture.pixels, None, config, (STYLIZER,), 1.5, {}, history=steps, levels=levels)
        for mode, picture, config, steps, levels in (
            ("fast", fast, FastConfig(), (), ()),
            ("refine", refined, RefineConfig(), history, (PyramidLevel(150, 19), PyramidLevel(300, 20))),
        )
    )  # fmt: skip
    return Comparison(
        content=Picture(content.pixels, content.alpha, path=f"/pictures/{name}"),
        styles=((Picture(flat(0.5, 0.5, 0.5, 90, 60).pixels, path=f"/pictures/{style}"), 1.0),),
        features=FEATURES,
        scores=scores,
        results=results if paint else (),
    )


def forming(count: int = 12) -> Film:
    """A film from green to blue."""
    film = Film()
    for step in range(count):
        share = step / (count - 1)
        film.add(flat(0, 1 - share, share).pixels, step=step, elapsed_s=step * 3.0)
    return film


@pytest.fixture
def open_report(visit, tmp_path):
    def open_report(comparison=None, *, film=None, commands=(COMMAND,), **options):
        path = tmp_path / "report.html"
        path.write_text(report(comparison or compared(), film=film or forming(), commands=commands), "utf-8")
        return visit(path.as_uri(), **options)

    return open_report


def test_the_report_opens_on_fast_and_refined_and_compares_any_two(open_report):
    page = open_report(still=True)
    assert page.title() == "photo.jpg in the style of painting.jpg"
    assert colours(page) == "ggbb"
    page.get_by_label("Left side").select_option("content")
    page.get_by_label("Right side").select_option("fast")
    assert colours(page) == "rrgg"
    page.get_by_label("Right side").select_option("style")
    assert colours(page) == "rr??"
    page.get_by_role("slider").press("End")
    assert colours(page) == "rrrr"


@pytest.mark.parametrize("width", [320, 375, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_report_fits_reads_and_has_no_barriers(open_report, barriers, width, dark):
    page = open_report(compared(name="a_very_long_name_" * 6 + ".jpg"), width=width, dark=dark, still=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert barriers(page) == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in paper[4:-1].split(",")) < 200) == dark


def test_finished_pictures_have_a_report_without_stages_and_curves(open_report, barriers):
    labels = ["one.png", "two.png", "one.png", HOSTILE]
    page = open_report(compared(labels=labels), width=375)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.get_by_role("columnheader").all_text_contents() == labels
    assert page.locator(".film, .curves, .lead").count() == 0
    assert page.get_by_label("Left side").locator("option").all_text_contents() == ["content", "style", *labels]
    assert barriers(page) == []


def test_names_in_the_report_are_text(open_report):
    page = open_report(compared(name=HOSTILE, style=HOSTILE, labels=[HOSTILE, "b"]), commands=[["stylize", HOSTILE]])
    name = HOSTILE.rpartition("/")[2]  # a path's last part
    assert page.get_by_role("heading", level=1).text_content().split() == f"{name} in the style of {name}".split()
    assert page.locator("img[src=x]").count() == 0
    assert shlex.split(page.locator("code").text_content()) == ["stylize", HOSTILE]


@pytest.mark.parametrize(
    ("options", "took", "start"),
    [
        ({}, "The preview took 1.5 s, refining it 3.0 s.", "the preview"),
        ({"init": "noise"}, "The refinement started from noise and took 3.0 s.", "noise"),
        ({"init": "content"}, "The refinement started from the photo and took 3.0 s.", "the photo"),
        ({"init": "a/<own>.png"}, "The refinement started from <own>.png and took 3.0 s.", "<own>.png"),
        ({"strength": 0.0}, "The refinement started from the photo and took 3.0 s.", "the photo"),
    ],
)
def test_the_report_says_where_the_refinement_started(options, took, start):
    comparison = compared()
    fast, refined = comparison.results
    config = RefineConfig().replace(**options)
    results = (fast, dataclasses.replace(refined, config=config))
    page = html.unescape(report(dataclasses.replace(comparison, results=results), film=forming()))
    lead = " ".join(re.search('class="lead">(.*?)</p>', page, re.DOTALL)[1].split())
    assert took in lead
    assert ("refining it" in lead) == (start == "the preview")
    assert re.findall('data-note="(Where it started: [^"]*)"', page) == [f"Where it started: {start}"]


def current(page: Page) -> int:
    return page.locator(".strip button").evaluate_all("all => all.findIndex((each) => each.ariaCurrent === 'true')")


def test_the_strip_plays_pauses_and_ends_with_the_result(open_report):
    page = open_report()
    assert current(page) == 11
    page.clock.install()
    play = page.get_by_role("button", name="Play")
    play.scroll_into_view_if_needed()
    page.clock.run_for(50)
    play = page.locator(".play")
    if play.text_content() == "Pause":  # it came into view and plays by itself
        play.click()
    page.locator(".strip button").first.click()
    assert current(page) == 0
    assert page.locator(".stage-note").text_content() == "Where it started: the preview"
    play.click()
    assert play.text_content() == "Pause"
    page.clock.run_for(1200)
    assert current(page) == 2
    play.click()
    page.clock.run_for(5000)
    assert (current(page), play.text_content()) == (2, "Play")
    play.click()
    page.clock.run_for(20_000)
    assert (current(page), play.text_content()) == (11, "Play")
    assert page.locator(".stage-note").text_content() == "Step 11 · 300 px · after 0:33"
    play.click()  # from the start again
    assert current(page) == 0


def test_what_is_played_is_seen(open_report):
    page = open_report(still=True)
    assert colours(page, ".screen") == "bbbb"
    page.locator(".strip button").first.press("Enter")
    assert colours(page, ".screen") == "gggg"
    page.locator(".play").press("Enter")
    page.get_by_role("button", name="Play", exact=True).wait_for(timeout=20_000)
    assert colours(page, ".screen") == "bbbb"
    assert page.locator(".screen img").count() == 1


def test_it_plays_by_itself_once_in_view_unless_motion_is_unwelcome(open_report):
    for still, expected in ((False, "Pause"), (True, "Play")):
        page = open_report(still=still)
        page.locator(".screen").scroll_into_view_if_needed()
        page.wait_for_timeout(600)
        assert page.locator(".play").text_content() == expected


def test_the_command_is_copied(open_report):
    page = open_report(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert shlex.split(page.evaluate("navigator.clipboard.readText()")) == COMMAND


def test_where_the_clipboard_is_refused_the_command_is_selected(open_report):
    page = open_report()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Selected").wait_for()
    assert shlex.split(page.evaluate("getSelection().toString()")) == COMMAND


def test_the_numbers_stand_in_the_table(open_report):
    page = open_report()
    rows = {row.locator("th").text_content().split("  ")[0].strip(): row.locator("td").all_text_contents()
            for row in page.locator("tbody tr").all()}  # fmt: skip
    assert rows["relu2_1"] == ["0.125", "0.125"]
    style = next(cells for name, cells in rows.items() if name.startswith("Style loss"))
    assert style == ["0.2500", "0.1250"]
    assert rows["Time"] == ["1.5 s", "3.0 s"]
    assert "is 2.0 times closer to the style" in " ".join(page.locator(".lead").text_content().split())
    assert "overtook" not in page.locator(".lead").text_content()


def test_the_curves_cover_time_levels_and_the_level_of_fast(open_report):
    page = open_report()
    assert [each.locator("figcaption").text_content() for each in page.locator(".chart").all()] == [
        "Losses", "Style, layer by layer", "Content, layer by layer",
    ]  # fmt: skip
    first = page.locator(".chart").first
    assert [" ".join(text.split()) for text in first.locator("li").all_text_contents()] == [
        "total 0.231 preview 1", "style 0.0769 preview 0.333", "content 0.115 preview 0.5",
    ]  # fmt: skip
    lines = first.locator("polyline").evaluate_all("all => all.map((line) => line.getAttribute('points'))")
    assert len(lines) == 3 * 2  # curves, levels
    points = [tuple(map(float, point.split(","))) for line in lines for point in line.split()]
    assert len(points) == 3 * 39
    assert all(0 <= x <= 100 and 0 <= y <= 100 for x, y in points)
    total = points[:19] + points[19:39]
    assert total[-1][0] == pytest.approx(100)
    assert all(one[1] < other[1] for one, other in itertools.pairwise(total))  # it falls: y grows
    # The preview's total, 1, is between those of steps 9 and 10, 9/9 and 9/10.
    level = first.locator("line.preview").first.evaluate("line => Number(line.getAttribute('y1'))")
    assert total[8][1] == pytest.approx(level, abs=0.01)
    assert "Losses. At the end: total 0.231, preview 1;" in first.locator(".plot").get_attribute("aria-label")


def test_losses_that_are_no_numbers_leave_the_report_standing(open_report):
    comparison = compared()
    bad = LossTerms(float("nan"), 0.0, float("inf"), 0.0, {"relu4_2": 0.0}, {"relu1_1": float("nan")})
    history = tuple(HistoryEntry(1, step, 0.0, bad) for step in (1, 2))
    refined = dataclasses.replace(comparison.results[1], history=history)
    scores = tuple(dataclasses.replace(each, losses=bad, style_loss=float("nan")) for each in comparison.scores)
    page = open_report(dataclasses.replace(comparison, results=(comparison.results[0], refined), scores=scores))
    assert page.locator(".chart").count() == 1


def test_the_label_of_a_short_last_level_stays_on_the_page(open_report):
    comparison = compared()
    history = tuple(HistoryEntry(1 if step < 39 else 2, step, step / 39, terms(9 / step)) for step in range(1, 40))
    refined = dataclasses.replace(comparison.results[1], history=history)
    page = open_report(dataclasses.replace(comparison, results=(comparison.results[0], refined)), width=320)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    plot, label = (page.locator(place).first.bounding_box() for place in (".plot", ".level.full span"))
    assert label["x"] + label["width"] <= plot["x"] + plot["width"] + 1


@pytest.mark.slow
def test_the_report_of_a_real_comparison(visit, barriers, traced_networks, pictures, tmp_path):
    inputs = ["-c", pictures[0], "-s", pictures[1], "--size", "96", "--steps", "30", "-o", tmp_path / "out"]
    result = CliRunner().invoke(main, ["compare", *map(str, inputs)])
    assert result.exit_code == 0, result.output
    page = visit((tmp_path / "out" / "report.html").as_uri(), width=375, still=True)
    assert barriers(page) == []
    before = page.locator(".stage").screenshot()
    page.get_by_role("slider").press("End")
    assert page.locator(".stage").screenshot() != before
    assert page.locator(".strip button").count() > 4
    assert page.locator(".chart").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_a_history_of_one_step_from_a_picture_of_ones_own(open_report):
    comparison = compared(content=flat(1, 0, 0, alpha=np.full((200, 300), 0.5, np.float32)))
    config = RefineConfig(init="/elsewhere/<b>start.png")
    refined = dataclasses.replace(comparison.results[1], history=comparison.results[1].history[:1], config=config)
    comparison = dataclasses.replace(comparison, results=(comparison.results[0], refined))
    page = open_report(comparison, still=True)
    page.locator(".strip button").first.click()
    assert page.locator(".stage-note").text_content() == "Where it started: <b>start.png"
    red, green, blue = Image.open(io.BytesIO(page.locator(".screen").screenshot())).convert("RGB").getpixel((50, 50))
    assert red == pytest.approx(blue, abs=10)
    assert 100 < red < 150  # half green, half paper
    assert green > 240
    assert len(page.locator("polyline").first.get_attribute("points").split()) == 2
