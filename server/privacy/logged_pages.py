"""Which entries of the feature log are of a shopper."""

from __future__ import annotations

from collections.abc import Callable

from foundation.telemetry.logs.user_ids import UserIds
from router.service.settings import RequestLogSettings
from state.attribution import logged_shopper
from state.attribution_scope import shopper_tag
from state.feature_log.logged_page import LoggedPage, decode


def page_of(user_id: str, settings: RequestLogSettings) -> Callable[[LoggedPage], bool]:
    """Whether a logged answer was made for the shopper.

    Its attribution token says so, whatever the secret and the salt of pseudonyms were when it was written;
    where the token has no shopper, the pseudonym does, as long as `settings.salt` is the same.
    """
    tag = shopper_tag(user_id)
    known = {user_id}
    if settings.salt:
        known.add(UserIds(settings.salt)(user_id))

    def is_wanted(page: LoggedPage) -> bool:
        return logged_shopper(page.attribution_token) == tag or page.user in known

    return is_wanted


def entry_of(user_id: str, settings: RequestLogSettings) -> Callable[[bytes], bool]:
    """`page_of`, of an entry's bytes. It raises EntryError where they are none."""
    is_wanted = page_of(user_id, settings)
    return lambda entry: is_wanted(decode(entry))
