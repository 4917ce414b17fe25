"""Errors of the offline evaluation.

EvaluationError (also a ValueError)     an evaluation is not possible
"""

from __future__ import annotations


class EvaluationError(ValueError):
    """Data set, checkpoint or quotas do not allow an evaluation; the message says what to change."""
