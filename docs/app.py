"""Make the README's picture of the web page: the page itself, painting one of the project's own scenes.

python docs/app.py --features vgg19-slim

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
from playwright.sync_api import Browser, Page, sync_playwright

DOCS = Path(__file__).parent
GAP_PX = 40
PAPER = (222, 220, 215)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default="auto")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--scene", default="Lake")
    parser.add_argument("--style", default="Swirls")
    parser.add_argument("--minutes", type=float, default=30, help="Wait no longer for a picture.")
    args = parser.parse_args()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "stylize", "app", "--port", str(port), "--no-browser", "--max-refinements", "2"]
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
            wide = _refined(browser, url, args, 1280, 960, dark=False)
            phone = _refined(browser, url, args, 390, 960, dark=True)
            browser.close()
    finally:
        server.terminate()
        server.wait()
    sheet = Image.new("RGB", (wide.width + phone.width + 3 * GAP_PX, wide.height + 2 * GAP_PX), PAPER)
    sheet.paste(wide, (GAP_PX, GAP_PX))
    sheet.paste(phone, (2 * GAP_PX + wide.width, GAP_PX))
    sheet.save(DOCS / "app.jpg", quality=85, optimize=True)


def _refined(
    browser: Browser, url: str, args: argparse.Namespace, width: int, height: int, *, dark: bool
) -> Image.Image:
    """Return the page with a refined picture, as a window of `width` x `height` px shows it."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    page.set_default_timeout(args.minutes * 60_000)
    page.goto(url)
    page.locator("img.picture").wait_for()
    for name in (args.scene, args.style):
        page.get_by_role("button", name=name).first.click()
    _set(page, args)
    page.get_by_role("button", name="Generate").click()
    stage = page.locator(".before-after .stage")
    stage.wait_for()
    page.get_by_text("Your picture is ready").wait_for(state="hidden")
    if dark:
        stage.evaluate("stage => stage.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(1000)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def _set(page: Page, args: argparse.Namespace) -> None:
    page.get_by_text("Refinement settings").click()
    steps = page.get_by_label("Steps", exact=True)
    steps.fill(str(args.steps))
    steps.press("Enter")
    page.get_by_label("Features").click()
    page.get_by_role("option", name=args.features, exact=True).click()
    page.get_by_text("Refinement settings").click()
    page.wait_for_timeout(1000)


if __name__ == "__main__":
    main()
