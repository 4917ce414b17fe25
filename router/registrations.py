"""Whether what is registered fits together, checked before anything is built or served."""

from __future__ import annotations

from models.build_order import check_needs, check_teachers
from models.registry import MODELS
from recall.registry import CHANNELS
from router.scenes.components import registered_tables
from router.scenes.features import check_features


def check_registrations() -> None:
    """Checks models, channels, tables and query features against each other.

    Raises:
        RegistrationError: a channel, table or teacher names an unknown model, models teach each other in a
            circle, two tables have one name, or a component reads an unknown query feature; the message names
            both sides.
    """
    check_teachers(MODELS)
    needs = {CHANNELS.owner(name): kind.models for name, kind in CHANNELS.items()}
    needs |= {f"the table {name}": table.models for name, table in registered_tables().items()}
    check_needs(needs, MODELS)
    check_features()
