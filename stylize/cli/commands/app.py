"""`stylize app`."""

from __future__ import annotations

import importlib.util
import os
import socket
from typing import Any

import click

from stylize.cli.command import Command
from stylize.cli.console import Run
from stylize.cli.options import app_options, given
from stylize.cli.run import with_run
from stylize.config import AppConfig
from stylize.errors import OptionError, StylizeError

__all__ = ["app"]


@click.command(cls=Command)
@app_options
@click.option("--no-browser", is_flag=True, help="Only print the page's address.")
@with_run
def app(run: Run, no_browser: bool, **options: Any) -> None:
    """Open the web page: drop a photo, choose a style, see the preview, refine it.

    Pictures stay in memory, each visitor's apart, and never go to disk. What networks computed from the last ones may
    stay in memory until Ctrl-C ends the server.
    """
    config = AppConfig(**given(options))
    if importlib.util.find_spec("streamlit") is None:
        raise StylizeError('the web page needs Streamlit: pip install "stylize-art[app]"')
    _check_address(config)

    from stylize.app.server import serve
    from stylize.networks.loaded import LoadedNetworks

    # Download now, where progress shows: visitors never wait for a download.
    networks = LoadedNetworks(cache_to_disk=False)
    for role in ("stylizer", "features"):
        networks.find("auto", role, **run.api_arguments)
    host = "localhost" if config.host in ("0.0.0.0", "::") else config.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{config.port}"
    run.result({"url": url}, f"{url}  (Ctrl-C ends)")
    serve(config, networks, browser=not no_browser)


def _check_address(config: AppConfig) -> None:
    """Raise StylizeError unless the address can be listened on."""
    try:
        place = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(*place[:2]) as probe:
            if os.name != "nt":  # on Windows the option would take an address that another program listens on
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place[4])
    except ValueError as error:  # such as UnicodeError for a..b
        raise OptionError(f"host: expected an address or a name, received {config.host!r}") from error
    except OSError as error:
        raise StylizeError(
            f"{config.host}:{config.port}: can't be listened on ({error.strerror or error}); choose another "
            "with --port or --host"
        ) from error
