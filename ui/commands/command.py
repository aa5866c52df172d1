"""What all commands have in common: an expected error is one message and an exit code."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand


class Command(TyperCommand):
    """A command that reports expected errors, to stderr and with `--json` also as its document.

    A fault of the program itself is left to raise.
    """

    def __init__(self, *args: Any, help: str | None = None, **options: Any) -> None:  # noqa: A002
        # A line break in the source is none in the help, which has the width of the terminal.
        joined = "\n\n".join(" ".join(part.split()) for part in (help or "").split("\n\n"))
        super().__init__(*args, help=joined, **options)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the arguments; a value that cannot be used is told in plain words."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            # pydantic, which checks values for typer, says first what kind of error it is.
            error.message = error.message.removeprefix("Value error, ")
            raise

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override] # typer's own subclass
        """Call the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            from ui.exits import expected_failure
            from ui.output import Output

            failure = expected_failure(error)
            if failure is None:
                raise
            Output(as_json=bool(ctx.params.get("as_json"))).fail(failure)
            raise typer.Exit(failure.code) from error
