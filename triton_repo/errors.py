"""Errors around Triton; each message is one line with the reason.

TritonError
├── TritonStartError     the server did not start
├── RepositoryError      a version on disk is missing, damaged or not what its manifest states
└── ModelLoadError       the running server refused to load a model
"""

from __future__ import annotations


class TritonError(Exception):
    """Base of every error that this package raises on its own."""


class TritonStartError(TritonError):
    """The server did not start; the message is one line with the reason."""


class RepositoryError(TritonError):
    """A version on disk is missing, damaged or not what its manifest states; the message names the folder."""


class ModelLoadError(TritonError):
    """The running server refused to load a model; the message is one line with the server's reason."""
