"""Streamlit's server for the page: its addresses, its privacy and its colours."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from stylize.app.studio import Studio
from stylize.config import AppConfig
from stylize.networks.loaded import LoadedNetworks

__all__ = ["is_connected", "serve", "studio"]

#: The studio of the page while `serve` runs.
studio: Studio | None = None

_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_SETTINGS = {
    # Send no usage statistics, and do not ask for an e-mail address.
    "browser.gatherUsageStats": "false",
    "server.showEmailPrompt": "false",
    "logger.hideWelcomeMessage": "true",
    "logger.level": "warning",
    "logger.enableRich": "false",
    "server.enableXsrfProtection": "true",
    "server.enableCORS": "true",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    # A full garbage collection after every run of the page would slow down previews and refinements.
    "runner.postScriptGC": "false",
    # Tracebacks go to the log, not to visitors.
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "theme.font": "sans-serif",
    "theme.baseRadius": "0.5rem",
    "theme.light.primaryColor": "#1d5c63",
    "theme.light.backgroundColor": "#faf9f7",
    "theme.light.secondaryBackgroundColor": "#f0eeea",
    "theme.light.textColor": "#1c1c1e",
    "theme.light.borderColor": "#dedad3",
    "theme.dark.primaryColor": "#2a8580",
    "theme.dark.backgroundColor": "#161618",
    "theme.dark.secondaryBackgroundColor": "#212124",
    "theme.dark.textColor": "#eceae6",
    "theme.dark.borderColor": "#3a3a3e",
}


def is_connected(visitor: str) -> bool:
    """Return whether a visitor's page is connected."""
    from streamlit.runtime import Runtime

    return not Runtime.exists() or Runtime.instance().is_active_session(visitor)


def serve(config: AppConfig, networks: LoadedNetworks, *, browser: bool = True) -> None:
    """Serve the page until Ctrl-C or SIGTERM, then stop all refinements.

    Args:
        config: address, port and limits.
        networks: stay loaded for all visitors.
        browser: whether to open the page in a browser.
    """
    from streamlit import net_util
    from streamlit.runtime.scriptrunner import script_runner
    from streamlit.web import cli

    global studio
    # When a request comes from a foreign page, Streamlit would ask an outside server for this machine's address.
    vars(net_util)["get_external_ip"] = lambda: None
    # After every run of the page, Streamlit clears Keras' state and TensorFlow's cache of kernels. A refinement may be
    # building its graph in its thread at that moment.
    vars(script_runner)["_clean_problem_modules"] = lambda: None
    settings = {
        **_SETTINGS,
        "server.address": config.host,
        "server.port": config.port,
        "server.maxUploadSize": config.max_upload_mb,
        "server.disconnectedSessionTTL": max(1, round(config.grace_s)),
        **({} if browser else {"server.headless": "true"}),
    }
    flags = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    if config.host in _LOOPBACK:
        # A foreign page could let its own host name point to this machine; accept no such name.
        flags += [part for host in (*_LOOPBACK, "[::1]") for part in ("--server.allowedHosts", host)]
    studio = Studio(config, networks, is_connected)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # "Stopping..." is no result
            cli.main(["run", str(Path(__file__).with_name("page.py")), *flags], "streamlit", standalone_mode=False)
    finally:
        studio.queue.close()
        studio = None
