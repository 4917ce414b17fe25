"""The `shopfront` command."""

from __future__ import annotations

import sys
from typing import Any

import typer

from foundation.storage.private_files import keep_files_private
from shopfront.asking_commands import app as asking
from shopfront.building_commands import app as building
from shopfront.category_network_command import app as category_network
from shopfront.command_end import (
    INTERRUPTED,
    full_disk,
    known_errors,
    print_failure,
    remember_interrupts,
)
from shopfront.command_options import errors
from shopfront.learning_command import app as learning
from shopfront.log_report_commands import app as log_reports
from shopfront.measuring_commands import app as measuring
from shopfront.merchandising_commands import app as merchandising
from shopfront.mislabelled_command import app as mislabelled
from shopfront.plan_commands import app as planning
from shopfront.related_words_command import app as related_words
from shopfront.rollout_commands import app as rollout
from shopfront.sample_rules_command import app as sample_rules
from shopfront.sandbox_command import app as sandbox
from shopfront.serving_commands import app as serving
from shopfront.shopper_commands import app as shopper
from shopfront.title_tags_command import app as titles

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Recommendation serving: build a workspace from logs, serve it, ask it, evaluate it.",
)
app.add_typer(serving)
app.add_typer(building)
app.add_typer(asking)
app.add_typer(measuring)
app.add_typer(log_reports)
app.add_typer(rollout, name="rollout")
app.add_typer(shopper, name="shopper")
app.add_typer(learning)
app.add_typer(sandbox)
app.add_typer(sample_rules)
app.add_typer(merchandising)
app.add_typer(planning)
app.add_typer(related_words)
app.add_typer(mislabelled)
app.add_typer(category_network)
app.add_typer(titles)


def main() -> Any:
    """Run the command; a mistake of the caller's ends in one line and exit status 1."""
    keep_files_private()
    interrupted = remember_interrupts()
    try:
        app()
    except Exception as error:
        if interrupted.is_set():
            # A library that is interrupted while it is imported raises an error of its own instead.
            sys.exit(INTERRUPTED)
        full = full_disk(error)
        if not full and not isinstance(error, (*known_errors(), OSError)):
            raise
        print_failure(errors, full or error)
        sys.exit(1)
