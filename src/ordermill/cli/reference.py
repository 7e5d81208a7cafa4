"""The reference of all commands, written from the commands themselves: docs/cli.md."""

from __future__ import annotations

from collections.abc import Iterator

import click

from ordermill.cli import COMMANDS, root

HEAD = """# Commands

Results go to standard output, progress and notes to standard error. `--json` gives one document, `--jsonl` an object a
line. Nothing is asked where there is no terminal; `NO_COLOR` is heeded.

| exit code | means |
|---|---|
| 0 | all good |
| 1 | finished, but some orders failed |
| 2 | the command cannot be meant like that |
| 3 | the environment: no database, port taken, a setting |
| 4 | not authorised |
| 5 | the network or the server |
| 6 | nothing matched |
| 130 | interrupted; how to go on is printed |

Commands on orders, batches and imports work on the local ledger (`--data`, `--database-url`). Where a server runs on
it, they go through that server; with `--server` and `--key` (or `ORDERMILL_SERVER` and `ORDERMILL_KEY`, or a
`--profile` of `~/.config/ordermill/config.toml`) through another one.
"""


def written() -> str:
    """The whole page."""
    return HEAD + "".join(_pages())


def _pages() -> Iterator[str]:
    context = click.Context(root, info_name="ordermill")
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        yield from _page(command, f"ordermill {name}", 2)


def _page(command: click.Command, name: str, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"\n{'#' * level} {name}\n\n"
    yield f"{_plain(command.help or '')}\n\n```\n{name} {usage}\n```\n"
    rows = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    rows = [row for row in rows if "--help" not in row[0]]
    if rows:
        yield "\n| option | |\n|---|---|\n"
        yield from (
            f"| `{option.replace('|', chr(92) + '|')}` | {text.replace('|', chr(92) + '|')} |\n"
            for option, text in rows
        )
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            child = command.get_command(context, sub)
            if child is not None:
                yield from _page(child, f"{name} {sub}", level + 1)


def _plain(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


if __name__ == "__main__":
    print(written(), end="")
