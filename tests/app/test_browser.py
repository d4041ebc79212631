"""The web page as its visitors have it: a real server, a real browser, real files."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from PIL import Image

from samples import EXAMPLES
from stylize.images import reading
from stylize.images.provenance import read_provenance

pytest.importorskip("streamlit", reason="Streamlit is not installed")
expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed").expect

PATIENCE_MS = 180_000

# Tiny networks, a queue of one, and visitors that are missed after a second.
SERVE = """
import sys
from pathlib import Path
from stylize.networks import local
from stylize.app.server import serve
from stylize.config import AppConfig
from stylize.networks.loaded import LoadedNetworks
local.EMBEDDED = Path(sys.argv[2])
config = AppConfig(port=int(sys.argv[1]), max_queue=1, max_upload_mb=1, max_megapixels=1, grace_s=1)
serve(config, LoadedNetworks(cache_to_disk=False), browser=False)
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def serving(folder, *command, port):
    """Run a server with a home and a temporary folder of its own, and end it as Ctrl-C does."""
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    environment = {
        **os.environ, "STYLIZE_OFFLINE": "1", "STYLIZE_HOME": str(folder / "home"), "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, *command], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                break
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        yield url, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.printed, process.said = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@pytest.fixture
def server(tiny_networks, tmp_path):
    port = free_port()
    with serving(tmp_path / "server", "-c", SERVE, str(port), str(tiny_networks), port=port) as (url, process):
        yield url
        left = [path for name in ("home", "tmp") for path in (tmp_path / "server" / name).rglob("*") if path.is_file()]
        # Keras writes its settings, TensorFlow the code that it makes of ours: neither is a visitor's.
        assert not [path for path in left if path.suffix not in (".json", ".py")]
    assert process.returncode == 0, process.said
    assert "Traceback" not in process.said, process.said[-3000:]


@pytest.fixture(autouse=True)
def _folder(tmp_path):
    (tmp_path / "server").mkdir()


def open_page(visit, url, **options):
    page = visit(url, **options)
    page.set_default_timeout(PATIENCE_MS)
    page.locator("img.picture").wait_for()
    return page


def painted_anew(page, change):
    """Make a change, and return once the picture is another."""
    before = page.locator("img.picture").get_attribute("src")
    change()
    page.wait_for_function("before => document.querySelector('img.picture')?.src !== before", arg=before)
    page.locator("img.picture").wait_for()


def make_small(page):
    painted_anew(page, lambda: page.get_by_role("slider", name="Size").press("Home"))


def set_steps(page, steps):
    page.get_by_text("Refinement settings").click()
    field = page.get_by_label("Steps", exact=True)
    field.fill(str(steps))
    field.press("Enter")
    page.get_by_text("Refinement settings").click()


def generate(page):
    # A click may be lost while the page is made anew, for example for another number of steps.
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Generate").click()


def upload(page, role, *names):
    page.locator("input[type=file]").nth(("photo", "style").index(role)).set_input_files(*names)


def download(page, label):
    with page.expect_download() as found:
        page.get_by_role("button", name=label, exact=True).click()
    path = found.value.path()
    return found.value.suggested_filename, path


def test_two_files_become_a_picture_to_take_home(server, visit):
    page = open_page(visit, server)
    make_small(page)
    painted_anew(page, lambda: upload(page, "photo", EXAMPLES / "scene_still_life.jpg"))
    painted_anew(page, lambda: upload(page, "style", EXAMPLES / "style_woodcut.jpg"))
    painted_anew(page, lambda: page.get_by_role("slider", name="Strength").press("PageDown"))
    strength = page.get_by_role("slider", name="Strength").bounding_box()
    page.mouse.move(strength["x"] + strength["width"] / 2, strength["y"] + strength["height"] / 2)
    painted_anew(page, page.mouse.down)  # it follows while the button is held
    page.mouse.up()

    set_steps(page, 12)
    generate(page)
    expect(page.locator(".before-after .stage")).to_be_visible(timeout=PATIENCE_MS)

    stage, slider = page.locator(".before-after .stage"), page.get_by_role("slider", name="Divider")
    middle = stage.screenshot()
    slider.press("End")
    assert stage.screenshot() != middle

    name, path = download(page, "Picture")
    assert name == "scene_still_life-style_woodcut-refine.png"
    with Image.open(path) as picture:
        assert max(picture.size) == 256
        picture.load()
    taken = path.with_suffix(".png")
    taken.write_bytes(path.read_bytes())
    provenance = read_provenance(taken)
    assert provenance["options"]["steps"] == 12
    assert provenance["content"]["sha256"] == reading.read_image(EXAMPLES / "scene_still_life.jpg").sha256
    name, path = download(page, "Provenance")
    assert json.loads(path.read_text()) == provenance
    name, path = download(page, "Film")
    with Image.open(path) as film:
        assert (name, film.format) == ("scene_still_life-style_woodcut-refine.webp", "WEBP")
        assert film.n_frames > 2


def test_stop_keeps_the_best_so_far(server, visit):
    page = open_page(visit, server, width=390, height=844, dark=True)
    make_small(page)
    set_steps(page, 2000)
    generate(page)
    step, picture = page.get_by_text(re.compile(r"Step \d+ of 2000")), page.locator("img.picture")
    before = step.text_content(), picture.get_attribute("src")
    expect(step).not_to_have_text(before[0], timeout=PATIENCE_MS)
    expect(picture).not_to_have_attribute("src", before[1], timeout=PATIENCE_MS)
    expect(page.get_by_text("Losses", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    plot = page.locator(".chart .plot")
    expect(plot).to_have_css("position", "relative")  # the style of the report is there
    expect(plot.locator("polyline").first).to_have_css("fill", "none")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile(r"\d+ steps of lbfgs \(stopped\)"))).to_be_visible(timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    _, path = download(page, "Picture")
    with Image.open(path) as picture:
        assert max(picture.size) == 256


def test_visitors_see_their_own_only_and_wait_for_their_turn(server, visit):
    one, other, third = (open_page(visit, server) for _ in range(3))
    for page in (one, other, third):
        make_small(page)
    theirs = other.locator("img.picture").get_attribute("src")
    painted_anew(one, lambda: upload(one, "photo", EXAMPLES / "scene_harbour.jpg"))
    set_steps(one, 2000)
    generate(one)
    one.get_by_text(re.compile(r"Step \d+ of 2000")).wait_for()
    assert other.locator("img.picture").get_attribute("src") == theirs
    assert other.get_by_role("button", name="Your photo").count() == 0

    set_steps(other, 2)
    generate(other)
    other.get_by_text("In the queue: number 1").wait_for()
    generate(third)
    third.get_by_text("the queue is full").wait_for()

    one.close()  # and the machine is free
    expect(other.locator(".before-after .stage")).to_be_visible(timeout=PATIENCE_MS)
    expect(other.get_by_role("button", name=re.compile("^Show "))).to_have_count(1, timeout=PATIENCE_MS)
    assert third.get_by_role("button", name=re.compile("^Show ")).count() == 0


def test_what_is_no_picture_or_too_large_is_refused_in_one_line(server, visit, tmp_path):
    page = open_page(visit, server)
    script = tmp_path / "script.png"
    script.write_text("<script>document.title = 'broken'</script>")
    upload(page, "photo", script)
    page.get_by_text("received text, such as a web page").wait_for()
    large = io.BytesIO()
    Image.new("RGB", (1100, 1000)).save(large, "PNG")
    upload(page, "photo", {"name": "large.png", "mimeType": "image/png", "buffer": large.getvalue()})
    page.get_by_text("expected 1 pixel to 1 megapixels").wait_for()
    heavy = {"name": "heavy.png", "mimeType": "image/png", "buffer": bytes(1_200_000)}
    upload(page, "photo", heavy)
    page.get_by_text("File must be 1.0MB or smaller").wait_for()
    page.get_by_role("button", name="Lake").click()
    page.locator("img.picture").wait_for()
    assert page.title() == "stylize"


def test_the_command_serves_on_the_loopback_address_until_ctrl_c(tmp_path):
    port = free_port()
    folder = tmp_path / "server"
    with serving(folder, "-m", "stylize", "app", "--port", str(port), "--no-browser", port=port) as (url, process):
        with urllib.request.urlopen(url) as answer:
            assert b"<title>" in answer.read()
        listening = subprocess.run(["ss", "-ltnH", f"sport = :{port}"], capture_output=True, text=True, check=False)
        assert "0.0.0.0" not in listening.stdout.split("LISTEN", 1)[-1].split("0.0.0.0:*")[0]
    assert process.returncode == 0
    assert process.printed == f"{url}  (Ctrl-C ends)\n"
    assert "Traceback" not in process.said, process.said[-3000:]
