"""The console as a process of its own, which loads nothing else: it takes half of the command's memory."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from console.app import serve
from console.process_options import TOKEN_VARIABLE, ProcessOptions


def main() -> None:
    """Serves until SIGTERM, as its one argument says. Raises as `console.app.serve` does."""
    options = ProcessOptions.model_validate_json(sys.argv[1])
    serve(replace(options.router, token=os.environ.get(TOKEN_VARIABLE, "")), options.settings)


if __name__ == "__main__":
    main()
