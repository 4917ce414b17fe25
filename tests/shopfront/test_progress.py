"""What a build prints of its steps."""

from io import StringIO

from rich.console import Console

from shopfront.progress import Progress


def test_a_model_without_metrics_has_no_line_of_them() -> None:
    printed = StringIO()
    progress = Progress(Console(file=printed, width=100))
    progress.trained("picture_encoder", {})
    assert printed.getvalue() == ""
    progress.trained("bst", {"auc": 0.75, "log_loss": 0.2})
    assert printed.getvalue().strip() == "bst on the validation range: auc 0.7500  log_loss 0.2000"
