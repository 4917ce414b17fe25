import subprocess
import sys


def test_the_supervisor_loads_nothing_that_only_training_needs() -> None:
    code = (
        "import sys, shopfront.command_line, shopfront.serve\n"
        "print([name for name in ('torch', 'polars', 'ray') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
