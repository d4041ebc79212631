"""Fixtures: tiny random networks and made-up pictures, and real ones for the marked tests where they are at hand."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Generator, Hashable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from samples import MODELS, REPOSITORY, SHARED, TESTS, left_half, painting, small_hub_network, tiny_convolutions

# Read once per process by TensorFlow; set before anything imports it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Defaults of the developer must not change what is tested.
for _variable in [name for name in os.environ if name.startswith("STYLIZE_")]:
    if _variable not in ("STYLIZE_HOME", "STYLIZE_OFFLINE"):
        del os.environ[_variable]
os.environ["STYLIZE_CONFIG"] = str(REPOSITORY / "tests" / "absent.toml")

# Where tests run in a shell's background, Ctrl-C is ignored, and so it would be by the programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


# A busy machine makes no example wrong. The examples are the same at every run: whether a change passes is not a matter
# of chance. `pytest --hypothesis-profile=explore` tries others, and more where a test does not set their number.
hypothesis.settings.register_profile("stylize", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("stylize")

# Beside the installed package alone, with a copy of tests/ and docs/, there is no repository to look at.
collect_ignore = (
    [] if (REPOSITORY / "setup.cfg").is_file() else ["benchmarks", "docs", "test_house.py", "test_release.py"]
)


@pytest.fixture(scope="session", autouse=True)
def outside_the_checkout() -> None:
    """Leave the root of the checkout, where programs that a test starts would find its packages first."""
    os.chdir(TESTS)


# --------------------------------------------------------------------------------------------------------------------
# The slow tests: whole programs and runs, browsers, Ray, real weights

_LEFT_OUT = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--all`."""
    parser.addoption("--all", action="store_true", help="run the slow tests, too")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """Leave out slow tests, unless all are asked for, or some by `-m` or by name (`FILE::TEST`)."""
    for item in items:
        if item.get_closest_marker("real") or {"browser", "site"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    yield  # to `-m` and `-k`
    if config.option.all or config.option.markexpr or any("::" in argument for argument in config.args):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    items[:] = [item for item in items if not item.get_closest_marker("slow")]
    config.stash[_LEFT_OUT] = len(slow)
    config.hook.pytest_deselected(items=slow)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that prints; with pytest-xdist, another process has collected the tests."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(_LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a process of pytest-xdist tells; all processes collect the same tests."""
    node.config.stash[_LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many tests were left out."""
    if left_out := config.stash.get(_LEFT_OUT, 0):
        terminalreporter.write_line(f"{left_out} slow tests were left out: `pytest --all` runs them, too")


# --------------------------------------------------------------------------------------------------------------------
# Networks and pictures


@pytest.fixture(scope="session")
def tensorflow() -> Any:
    """TensorFlow, to compare with; skips where this process computes with another backend."""
    from stylize.networks import devices

    if devices.chosen().backend != "tensorflow":
        pytest.skip(
            f"the backend is {devices.chosen().backend}: TensorFlow beside it would take its threads and memory"
        )
    return devices.tensorflow()


@pytest.fixture(scope="session")
def hub_network(tensorflow: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small SavedModel that stands in for TF-Hub's stylizer."""
    return small_hub_network(tmp_path_factory.mktemp("hub"))


@pytest.fixture
def tiny_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the embedded feature network a tiny random one, keep the shipped stylizer, and cut the network off."""
    from safetensors.numpy import save_file

    embedded = tmp_path / "embedded"
    embedded.mkdir()
    tensors = {}
    for name, (kernel, bias) in tiny_convolutions().items():
        tensors[f"{name}/kernel"], tensors[f"{name}/bias"] = kernel, bias
    save_file(tensors, str(embedded / "vgg19_slim.safetensors"))
    for part in ("mini_style.tflite", "mini_transfer.tflite"):
        shutil.copy(MODELS / part, embedded / part)
    monkeypatch.setattr("stylize.networks.local.EMBEDDED", embedded)
    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STYLIZE_OFFLINE", "1")
    return embedded


# What tests share, by the networks that they use: encoders and objectives, the newest last.
_TRACED: dict[Hashable, Any] = {}
_MOST_TRACED = 16


def _share_traced(networks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests share encoders and objectives: tracing an objective takes longer than all the arithmetic of a test."""
    from stylize.networks.loaded import LoadedNetworks

    keep = LoadedNetworks.keep

    def shared(self: LoadedNetworks, kind: str, key: Hashable, load: Callable[[], Any]) -> Any:
        if kind not in ("encoder", "objective"):
            return keep(self, kind, key, load)
        ours = networks, kind, key
        traced = _TRACED.pop(ours) if ours in _TRACED else load()
        _TRACED[ours] = traced
        while len(_TRACED) > _MOST_TRACED:
            del _TRACED[next(iter(_TRACED))]
        return traced

    monkeypatch.setattr(LoadedNetworks, "keep", shared)


@pytest.fixture
def traced_networks(tiny_networks: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `tiny_networks`, but tests share encoders and objectives."""
    _share_traced("tiny", monkeypatch)
    return tiny_networks


@pytest.fixture
def shipped_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the shipped networks the only ones, and cut the network off; tests share encoders and objectives."""
    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STYLIZE_OFFLINE", "1")
    _share_traced("shipped", monkeypatch)


@pytest.fixture
def shared() -> Path:
    """The folder of real weights and pictures beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no real weights and pictures at {SHARED}")
    return SHARED


@pytest.fixture
def real_networks(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the published VGG-19 and the int8 stylizer, added as a user would."""
    from stylize.networks import store

    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STYLIZE_OFFLINE", "1")
    store.add("vgg19", shared / "models" / "vgg19_imagenet_notop.h5")
    store.add("magenta-int8", shared / "models")
    return shared


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, ...]:
    """Two picture files: a content of 96 x 64 px and a style of 80 x 80 px."""
    from PIL import Image

    paths = []
    for name, shape, seed in (("photo.png", (64, 96), 1), ("painting.png", (80, 80), 2)):
        path = tmp_path / name
        Image.fromarray((painting(*shape, seed) * 255).round().astype(np.uint8)).save(path)
        paths.append(path)
    return tuple(paths)


@pytest.fixture
def masks(tmp_path: Path) -> tuple[Path, ...]:
    """Two mask files for a content of 96 x 64 px: its left half, and its right half."""
    from PIL import Image

    paths = []
    for name, mask in (("left.png", left_half(64, 96)), ("right.png", 1 - left_half(64, 96))):
        Image.fromarray((mask * 255).astype(np.uint8)).save(tmp_path / name)
        paths.append(tmp_path / name)
    return tuple(paths)


# --------------------------------------------------------------------------------------------------------------------
# A browser

_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_CHROMIUM_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium, as Playwright's `Browser`; one for each module, as its event loop disturbs other tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    executable = next(filter(None, map(shutil.which, _CHROMIUMS)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(_CHROMIUMS)} is installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable, args=_CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page: `visit(url, width=375, dark=True, ...)`. In the end, fail on errors and on outside requests.

    Inside are the visited pages themselves: the file, or for http the same host and port.
    """
    from urllib.parse import urlsplit

    contexts: list[Any] = []
    errors: list[str] = []
    requests: list[str] = []
    inside: set[tuple[str, str]] = set()

    def place(url: str) -> tuple[str, str]:
        parts = urlsplit(url)
        return (
            (parts.scheme, parts.path) if parts.scheme == "file" else (parts.scheme.replace("ws", "http"), parts.netloc)
        )

    def note(message: Any) -> None:
        if message.type in ("error", "warning"):
            errors.append(message.text)

    def visit(
        url: str, *, width: int = 1280, height: int = 900, dark: bool = False, still: bool = False, **options: Any
    ) -> Any:
        inside.add(place(url))
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if still else "no-preference", **options,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.on("websocket", lambda socket: requests.append(socket.url))
        page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()
    outside = [url for url in requests if urlsplit(url).scheme not in ("data", "blob") and place(url) not in inside]
    assert not outside
    assert not errors


@pytest.fixture
def barriers() -> Callable[[Any], list[str]]:
    """What axe, the accessibility checker, finds wrong on a Playwright page: one line each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

    def barriers(page: Any) -> list[str]:
        found = axe.Axe().run(page).response["violations"]
        return [f"{each['id']}: {node['html']} ({node['failureSummary']})" for each in found for node in each["nodes"]]

    return barriers
