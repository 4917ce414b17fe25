"""What can go wrong around Triton, each error one line that says why."""


class TritonStartError(Exception):
    """The server did not start; the message is one line with the reason."""


class RepositoryError(Exception):
    """A version on disk is missing, torn or not what its manifest says; the message names the folder."""


class ModelLoadError(Exception):
    """The running server refused to load a model; the message is one line with the server's reason."""
