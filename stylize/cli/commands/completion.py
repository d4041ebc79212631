"""`stylize completion`."""

from __future__ import annotations

import click

from stylize.cli.command import Command
from stylize.cli.console import to_standard_output

__all__ = ["completion"]

# As click's script, but bash breaks words at the characters of COMP_WORDBREAKS, such as `@`, `=` and `:`, too. What no
# space separates is joined again.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n'
    local line=$COMP_LINE words=() word completion type value

    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ ${#words[@]} -eq 0 || $line == [[:space:]]* ]]; then
            words+=("")
            line=${line#"${line%%%%[![:space:]]*}"}
        fi
        words[-1]+=$word
        line=${line#"$word"}
    done

    for completion in $(env COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) \
%(complete_var)s=bash_complete $1); do
        IFS=',' read type value <<< "$completion"
        case $type in
            dir) COMPREPLY=(); compopt -o dirnames ;;
            file) COMPREPLY=(); compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


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
    script = kind(ctx.find_root().command, {}, "stylize", "_STYLIZE_COMPLETE")
    if shell == "bash":
        script.source_template = _BASH  # type: ignore[misc]  # of the class
    with to_standard_output():
        click.echo(script.source())
