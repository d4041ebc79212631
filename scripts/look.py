"""Make docs/report.jpg and docs/film.webp for the README: screenshots of a report, and a film of its refinement.

    python scripts/look.py --features vgg19 --network magenta-int8

Needs `pip install -e ".[dev]"` and Chromium or Chrome.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

import stylize
from stylize.reports.film import Film
from stylize.reports.html import report

REPOSITORY = Path(__file__).parent.parent
DOCS, EXAMPLES = REPOSITORY / "docs", REPOSITORY / "examples"
GAP_PX = 40
BACKGROUND = (222, 220, 215)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default="auto")
    parser.add_argument("--network", default="auto")
    parser.add_argument("--size", type=int, default=480)
    parser.add_argument("--scene", default="lake")
    parser.add_argument("--style", default="swirls")
    parser.add_argument("--keep", type=Path, help="also write the report to this file")
    args = parser.parse_args()

    film = Film()
    scene, style = f"scene_{args.scene}.jpg", f"style_{args.style}.jpg"
    comparison = stylize.compare(
        EXAMPLES / scene, EXAMPLES / style, size=args.size, features=args.features, network=args.network,
        on_start=film.add, on_message=print,
        on_iterate=lambda it: film.add(it.pixels, step=it.step, elapsed_s=it.elapsed_s),
    )  # fmt: skip
    refined = comparison.results[1]
    film.add(refined.image, step=len(refined.history), elapsed_s=refined.seconds)
    film.write(DOCS / "film.webp", max_bytes=650_000, overwrite=True)

    command = ["stylize", "compare", "-c", scene, "-s", style, "--size", str(args.size)]
    page = report(comparison, film=film, commands=[command, ["stylize", "rerun", "refined.png"]])
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(page, "utf-8")
        if args.keep:
            shutil.copy(path, args.keep)
        executable = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        wide = _screenshot(browser, path, 1120, 1480, dark=False, top="body")
        phone = _screenshot(browser, path, 375, 1480, dark=True, top=".film")
        browser.close()
    sheet = Image.new("RGB", (wide.width + phone.width + 3 * GAP_PX, wide.height + 2 * GAP_PX), BACKGROUND)
    sheet.paste(wide, (GAP_PX, GAP_PX))
    sheet.paste(phone, (2 * GAP_PX + wide.width, GAP_PX))
    sheet.save(DOCS / "report.jpg", quality=85, optimize=True)


def _screenshot(browser: Browser, path: Path, width: int, height: int, *, dark: bool, top: str) -> Image.Image:
    """Return `width` x `height` px of the page, from the top of the element `top` downwards."""
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    page.goto(path.as_uri())
    y = page.locator(top).bounding_box()["y"]
    clip = {"x": 0, "y": max(0, y - 20), "width": width, "height": height}
    return Image.open(io.BytesIO(page.screenshot(full_page=True, clip=clip))).convert("RGB")


if __name__ == "__main__":
    main()
