"""What all commands have in common: an expected error is one message and an exit code."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand


class Command(TyperCommand):
    """A command that reports expected errors, to stderr and with `--json` also as its document.

    A fault of the program itself is left to raise.
    """

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
