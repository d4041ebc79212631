"""The built site: complete references, nothing from elsewhere, legible on a phone."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import pytest

import stylize
from command_tree import commands
from stylize import augment

pytestmark = pytest.mark.slow  # The site is built.

PAGES = ("index", "quickstart", "how-it-works", "presets", "objective", "pictures", "howto/index", "cli", "api")


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The URL of the site, served on this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/favicon.ico":  # Browsers ask for an icon, which the site lacks.
                self.send_response(204)
                self.end_headers()
            else:
                super().do_GET()

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


COMMANDS = {("stylize", *names): command for names, command in commands()}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_of_a_command_is_in_the_reference(path: tuple[str, ...], site: Path) -> None:
    anchors = set(re.findall(r'id="cmdoption-([^"]+)"', (site / "cli.html").read_text("utf-8")))
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Argument):
            assert f"{'-'.join(path)}-arg-{parameter.human_readable_name}" in anchors
        elif not getattr(parameter, "hidden", False):
            for name in (*parameter.opts, *parameter.secondary_opts):
                assert f"{'-'.join(path)}-{name.lstrip('-')}" in anchors, name


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    anchors = set(re.findall(r'id="(stylize\.[^"]+)"', (site / "api.html").read_text("utf-8")))
    names = {f"stylize.{name}" for name in stylize.__all__} | {f"stylize.augment.{name}" for name in augment.__all__}
    assert names <= anchors


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text("utf-8")
        assert not re.findall(r'<(?:script|img|iframe|source)[^>]+src="(?:https?:)?//[^"]*"', text), page
        assert not re.findall(r'<link[^>]+href="(?:https?:)?//[^"]*"', text), page


@pytest.mark.parametrize("page", PAGES)
def test_pages_fit_a_phone(page: str, address: str, visit: Callable[..., Any]) -> None:
    shown = visit(f"{address}/{page}.html", width=375)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 375
    broken = shown.evaluate("[...document.images].filter(image => image.complete && !image.naturalWidth).length")
    assert broken == 0


def test_equations_are_set_without_a_network(address: str, visit: Callable[..., Any]) -> None:
    page = visit(f"{address}/objective.html")
    page.locator("mjx-container").first.wait_for()
    assert page.locator("mjx-container").count() > 20
    assert page.locator("mjx-merror").count() == 0
