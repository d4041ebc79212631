"""Streamlit's server around the page: who may reach it, what it must not do, how it looks."""

from __future__ import annotations

from pathlib import Path

from stylize.app.studio import Studio
from stylize.config import AppConfig
from stylize.networks.loaded import LoadedNetworks

__all__ = ["present", "serve", "studio"]

#: What the page works with, once the server is up.
studio: Studio | None = None

_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_SETTINGS = {
    # Nothing is sent or asked: not to Streamlit's makers, nor for the user's e-mail address.
    "browser.gatherUsageStats": "false",
    "server.showEmailPrompt": "false",
    "logger.hideWelcomeMessage": "true",
    "logger.enableRich": "false",
    "server.enableXsrfProtection": "true",
    "server.enableCORS": "true",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    # A full garbage collection after every run of the page would hold up previews and refinements alike.
    "runner.postScriptGC": "false",
    # A visitor sees no traceback; the log does.
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


def present(visitor: str) -> bool:
    """Return whether a visitor's page is connected."""
    from streamlit.runtime import Runtime

    return not Runtime.exists() or Runtime.instance().is_active_session(visitor)


def serve(config: AppConfig, networks: LoadedNetworks, *, browser: bool = True) -> None:
    """Serve the page until Ctrl-C (or SIGTERM); then the refinements under way are ended."""
    from streamlit import net_util
    from streamlit.runtime.scriptrunner import script_runner
    from streamlit.web import cli

    global studio
    # To judge a request from a foreign page, Streamlit would ask a server outside for this machine's address.
    vars(net_util)["get_external_ip"] = lambda: None
    # After every run of the page, Streamlit clears Keras' state and TensorFlow's cache of kernels: a refinement in its
    # thread may be building its graph just then.
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
        # No foreign page reaches this one by a name that it lets point here.
        flags += [part for host in (*_LOOPBACK, "[::1]") for part in ("--server.allowedHosts", host)]
    studio = Studio(config, networks, present)
    try:
        cli.main(["run", str(Path(__file__).with_name("page.py")), *flags], "streamlit", standalone_mode=False)
    finally:
        studio.queue.close()
        studio = None
