"""Make docs/app.jpg for the README: two screenshots of the web page, on a wide screen and on a phone.

    python scripts/app.py --features vgg19

Needs `pip install -e ".[dev]"` and Chromium or Chrome.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

TARGET = Path(__file__).parent.parent / "docs" / "app.jpg"
GAP_PX = 40
BACKGROUND = (222, 220, 215)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default="auto")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=140)
    parser.add_argument("--scene", default="Lake")
    parser.add_argument("--style", default="Swirls")
    parser.add_argument("--minutes", type=float, default=30, help="the longest wait for a picture")
    args = parser.parse_args()

    with _server() as url:
        wide, phone = _screenshots(url, args)
    sheet = Image.new("RGB", (wide.width + phone.width + 3 * GAP_PX, wide.height + 2 * GAP_PX), BACKGROUND)
    sheet.paste(wide, (GAP_PX, GAP_PX))
    sheet.paste(phone, (2 * GAP_PX + wide.width, GAP_PX))
    sheet.save(TARGET, quality=85, optimize=True)


@contextlib.contextmanager
def _server() -> Iterator[str]:
    """Serve the web page, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "stylize", "app", "--port", str(port), "--no-browser"])
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(100):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/_stcore/health"):
                break
            time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait()


def _screenshots(url: str, args: argparse.Namespace) -> tuple[Image.Image, Image.Image]:
    """Refine a picture on the page, and return the page on a wide screen and on a phone in dark mode."""
    with sync_playwright() as playwright:
        executable = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 960}, color_scheme="light")
        page.set_default_timeout(args.minutes * 60_000)
        page.goto(url)
        _refine(page, args)
        wide = _screenshot(page)
        page.set_viewport_size({"width": 390, "height": 960})
        page.emulate_media(color_scheme="dark")
        page.locator(".before-after").evaluate("stage => stage.scrollIntoView({block: 'center'})")
        phone = _screenshot(page)
        browser.close()
    return wide, phone


def _refine(page: Page, args: argparse.Namespace) -> None:
    """Choose the scene, the style and the settings on the page, and wait for the refined picture."""
    page.locator("img.picture").wait_for()
    for name in (args.scene, args.style):
        page.get_by_role("button", name=name).first.click()
    size = page.get_by_role("slider", name="Size")
    while (shown := size.get_attribute("aria-valuetext")) != f"{args.size} px":
        size.press("ArrowLeft" if int(shown.removesuffix(" px")) > args.size else "ArrowRight")
        if size.get_attribute("aria-valuetext") == shown:
            raise SystemExit(f"--size: expected a size of the page, received {args.size}")
    page.get_by_text("Refinement settings").click()
    steps = page.get_by_label("Steps", exact=True)
    steps.fill(str(args.steps))
    steps.press("Enter")
    features = page.get_by_role("option", name=args.features, exact=True)
    # The page runs again after the number of steps has changed, and then closes the list.
    for _ in range(20):
        page.wait_for_timeout(1000)
        if features.is_visible():
            break
        page.get_by_role("combobox", name="Features").press("ArrowDown")
    features.click(timeout=10_000)
    page.get_by_text("Refinement settings").click()
    page.wait_for_timeout(2000)
    page.get_by_role("button", name="Generate").click()
    page.get_by_text("Your picture is ready").wait_for()
    page.get_by_text("Your picture is ready").wait_for(state="hidden")


def _screenshot(page: Page) -> Image.Image:
    page.wait_for_timeout(1500)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


if __name__ == "__main__":
    main()
