"""Make the README's picture of the web page: the page itself, painting one of the project's own scenes.

python docs/app.py --features vgg19

Needs `pip install -e ".[dev]"` and a Chromium.
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
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

DOCS = Path(__file__).parent
GAP_PX = 40
PAPER = (222, 220, 215)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default="auto")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=140)
    parser.add_argument("--scene", default="Lake")
    parser.add_argument("--style", default="Swirls")
    parser.add_argument("--minutes", type=float, default=30, help="Wait no longer for a picture.")
    args = parser.parse_args()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "stylize", "app", "--port", str(port), "--no-browser"]
    server = subprocess.Popen(command)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(100):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/_stcore/health"):
                break
            time.sleep(0.2)
        with sync_playwright() as playwright:
            executable = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1280, "height": 960}, color_scheme="light")
            page.set_default_timeout(args.minutes * 60_000)
            page.goto(url)
            _refine(page, args)
            wide = _seen(page)
            page.set_viewport_size({"width": 390, "height": 960})
            page.emulate_media(color_scheme="dark")
            page.locator(".before-after").evaluate("stage => stage.scrollIntoView({block: 'center'})")
            phone = _seen(page)
            browser.close()
    finally:
        server.terminate()
        server.wait()
    sheet = Image.new("RGB", (wide.width + phone.width + 3 * GAP_PX, wide.height + 2 * GAP_PX), PAPER)
    sheet.paste(wide, (GAP_PX, GAP_PX))
    sheet.paste(phone, (2 * GAP_PX + wide.width, GAP_PX))
    sheet.save(DOCS / "app.jpg", quality=85, optimize=True)


def _refine(page: Page, args: argparse.Namespace) -> None:
    """Choose all on the page, and wait for the refined picture."""
    page.locator("img.picture").wait_for()
    for name in (args.scene, args.style):
        page.get_by_role("button", name=name).first.click()
    size = page.get_by_role("slider", name="Size")
    while size.get_attribute("aria-valuetext") != f"{args.size} px":
        size.press("ArrowLeft")
    page.get_by_text("Refinement settings").click()
    steps = page.get_by_label("Steps", exact=True)
    steps.fill(str(args.steps))
    steps.press("Enter")
    features = page.get_by_role("option", name=args.features, exact=True)
    for _ in range(20):  # a run of the page, such as the one that the steps began, closes the list again
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


def _seen(page: Page) -> Image.Image:
    page.wait_for_timeout(1500)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


if __name__ == "__main__":
    main()
