"""What every command needs: the installation, answers in words or JSON, errors as exit codes."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from statuspage.errors import Conflict, InvalidInput, StatuspageError, Unavailable

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "json_wanted", is_flag=True, help="Answer with one JSON document.")


def answer(data: Any, text: str, *, json_wanted: bool) -> None:  # noqa: ANN401 - any JSON value
    """Print `data` as JSON, or `text`."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2) if json_wanted else text)


def exit_code(error: StatuspageError) -> int:
    """1 refused, 3 conflict, 4 no database."""
    return 3 if isinstance(error, Conflict) else 4 if isinstance(error, Unavailable) else 1


def reports_errors(command: F) -> F:
    """Errors of ours end in one line on stderr and an exit code; anything else keeps its traceback: it is a bug."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's
        try:
            return command(*args, **kwargs)
        except StatuspageError as error:
            field = f"{error.field}: " if isinstance(error, InvalidInput) and error.field else ""
            text = f"{field}{error}"
            if kwargs.get("json_wanted"):
                click.echo(json.dumps({"error": type(error).__name__, "message": text}, ensure_ascii=False))
            click.echo(f"statuspage: {text}", err=True)
            sys.exit(exit_code(error))

    return wrapped  # type: ignore[return-value]  # same signature, by functools.wraps
