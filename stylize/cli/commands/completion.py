"""`stylize completion`."""

from __future__ import annotations

import click

from stylize.cli.command import Command
from stylize.cli.console import to_standard_output

__all__ = ["completion"]


@click.command(
    cls=Command,
    examples=(
        'eval "$(stylize completion bash)"       # in ~/.bashrc',
        'eval "$(stylize completion zsh)"        # in ~/.zshrc',
        "stylize completion fish | source        # config.fish",
        "stylize completion powershell | Out-String | iex",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "powershell"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete commands, options and values."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    with to_standard_output():
        click.echo(kind(ctx.find_root().command, {}, "stylize", "_STYLIZE_COMPLETE").source())
