"""Pages in a real browser: what is shown, what moves, and that nothing is asked of anywhere."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from stylize.errors import OptionError
from stylize.images import Picture
from stylize.page import slider

HOSTILE = """</script><script>alert(1)</script>"'><img src=x onerror=alert(2)>&amp;.png"""


def flat(red, green, blue, height=200, width=300, alpha=None):
    return Picture(np.full((height, width, 3), (red, green, blue), np.float32), alpha)


RED, GREEN, BLUE = flat(1, 0, 0), flat(0, 1, 0), flat(0, 0, 1)


@pytest.fixture
def visit_html(visit, tmp_path):
    def visit_html(html, **options):
        path = tmp_path / "page.html"
        path.write_text(f"<!doctype html><meta charset=utf-8><title>test</title>{html}", "utf-8")
        return visit(path.as_uri(), **options)

    return visit_html


def colours(page, selector=".stage", y=0.8):
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
