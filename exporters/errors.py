"""Why a checkpoint was not exported."""


class ExportRefused(Exception):
    """The export did not pass a gate; nothing was added to the repository. The message is one line."""
