"""`ordermill completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ordermill.cli.options import fail


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what completes commands in your shell.

    bash: ordermill completion bash >> ~/.bashrc; zsh: … >> ~/.zshrc; fish: … > a file in ~/.config/fish/completions
    """
    from ordermill.cli import root

    kind = get_completion_class(shell)
    if kind is None:
        fail(f"there is no completion for {shell}", 2)
    click.echo(kind(root, {}, "ordermill", "_ORDERMILL_COMPLETE").source())
