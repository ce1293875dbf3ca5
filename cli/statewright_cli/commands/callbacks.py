"""Commands that answer tasks from outside: send-success, send-failure, send-heartbeat, activity-task."""

from __future__ import annotations

import click

from statewright_cli import output
from statewright_cli.arguments import json_value, token_text
from statewright_cli.session import Settings, asynchronous, connect, settings_options

__all__ = ["COMMANDS"]


def _acknowledge(settings: Settings, text: str) -> None:
    if settings.json:
        output.document({"accepted": True})
    else:
        output.say(text)


@click.command("send-success")
@click.argument("token")
@click.option("--output", "output_text", default="{}", show_default=True, metavar="JSON|@FILE|-", help="Task result.")
@settings_options()
@click.pass_obj
@asynchronous
async def send_success(settings: Settings, token: str, output_text: str) -> None:
    """Answer a waiting task with its result.

    TOKEN is the task token the handler got; - reads it from stdin.

    \b
    Examples:
      statewright send-success "$TOKEN" --output '{"collectedBy": "van 7"}'
      statewright send-success - < token.txt
    """
    if token == "-" == output_text:
        raise click.UsageError("only one of TOKEN and --output can come from stdin")
    token, value = token_text(token), json_value(output_text, "--output")
    async with connect(settings) as engine:
        await engine.send_task_success(token, value)
    _acknowledge(settings, "accepted: the task succeeds")


@click.command("send-failure")
@click.argument("token")
@click.option("--error", help="Error name, which Retry and Catch can match.")
@click.option("--cause", help="Why, in words.")
@settings_options()
@click.pass_obj
@asynchronous
async def send_failure(settings: Settings, token: str, error: str | None, cause: str | None) -> None:
    """Answer a waiting task with an error.

    TOKEN is the task token the handler got; - reads it from stdin.

    \b
    Examples:
      statewright send-failure "$TOKEN" --error PickupRefused --cause 'nobody at the gate'
    """
    async with connect(settings) as engine:
        await engine.send_task_failure(token_text(token), error, cause)
    _acknowledge(settings, "accepted: the task fails")


@click.command("send-heartbeat")
@click.argument("token")
@settings_options()
@click.pass_obj
@asynchronous
async def send_heartbeat(settings: Settings, token: str) -> None:
    """Say that a waiting task is still worked on: its heartbeat timer starts anew.

    TOKEN is the task token the handler got; - reads it from stdin.

    \b
    Examples:
      statewright send-heartbeat "$TOKEN"
    """
    async with connect(settings) as engine:
        await engine.send_task_heartbeat(token_text(token))
    _acknowledge(settings, "accepted: the heartbeat timer starts anew")


@click.command("activity-task")
@click.argument("activity")
@click.option("--worker-name", help="Recorded in the history.")
@click.option("--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait.")
@settings_options()
@click.pass_obj
@asynchronous
async def activity_task(settings: Settings, activity: str, worker_name: str | None, timeout: float) -> int:
    """Take the oldest waiting task of an activity; exit code 1 if none came in time.

    ACTIVITY is the activity's ARN.  Answer with send-success or send-failure.

    \b
    Examples:
      statewright activity-task arn:aws:states:us-east-1:000000000000:activity:inspect --json
    """
    async with connect(settings) as engine:
        task = await engine.get_activity_task(activity, worker_name, timeout=timeout)
    if task is None:
        output.note(f"no task within {timeout:g} seconds")
        return 1
    if settings.json:
        output.document({"taskToken": task.token, "input": task.input})
    else:
        output.say(f"token {task.token}")
        output.say(f"input {task.input}")
    return 0


COMMANDS = [send_success, send_failure, send_heartbeat, activity_task]
