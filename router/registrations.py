"""Whether the registered models and channels fit each other, checked before anything is built or served."""

from __future__ import annotations

from models.build_order import check_needs, check_teachers
from models.registry import MODELS
from recall.registry import CHANNELS


def check_registrations() -> None:
    """Raises RegistrationError naming both sides where a channel names an unknown model, or teachers do."""
    check_teachers(MODELS)
    check_needs({f"the recall channel {name}": kind.models for name, kind in CHANNELS.items()}, MODELS)
