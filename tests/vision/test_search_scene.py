"""Which scenes a photo search may be answered by, and who is told where one cannot look."""

from __future__ import annotations

import pytest

from router.errors import CallerError, PreconditionError
from router.scenes.recall_settings import SceneChannel
from router.scenes.settings import SceneSettings
from vision.search_scene import check_search_scene

LOOKING = SceneSettings(channels={"hot": SceneChannel(), "similar_look": SceneChannel()})
BLIND = SceneSettings(channels={"hot": SceneChannel()})
SWITCHED_OFF = SceneSettings(channels={"hot": SceneChannel(), "similar_look": SceneChannel(enabled=False)})


def test_a_scene_that_looks_answers_whether_it_is_named_or_not() -> None:
    check_search_scene({"photo_search": LOOKING, "home": BLIND}, "")
    check_search_scene({"photo_search": BLIND, "wall": LOOKING}, "wall")


@pytest.mark.parametrize("blind", [BLIND, SWITCHED_OFF])
def test_the_caller_is_told_of_a_named_scene_that_cannot_look(blind: SceneSettings) -> None:
    with pytest.raises(CallerError) as refused:
        check_search_scene({"photo_search": LOOKING, "wall": LOOKING, "home": blind}, "home")
    (violation,) = refused.value.violations
    assert violation.field == "scene"
    assert violation.description.startswith("home has no channel similar_look that is enabled")
    assert violation.description.endswith("scenes with one: photo_search, wall")
    with pytest.raises(CallerError, match="scenes with one: none"):
        check_search_scene({"home": blind}, "home")


@pytest.mark.parametrize(
    "scenes", [{"photo_search": BLIND}, {"photo_search": SWITCHED_OFF}, {"wall": LOOKING}]
)
def test_a_shop_whose_own_scene_cannot_look_is_not_the_callers_mistake(
    scenes: dict[str, SceneSettings],
) -> None:
    with pytest.raises(
        PreconditionError, match="the scene photo_search is not served or has no channel"
    ) as no:
        check_search_scene(scenes, "")
    assert no.value.subject == "photo_search"


def test_a_scene_that_is_not_served_is_left_to_the_check_of_every_page() -> None:
    check_search_scene({"photo_search": LOOKING}, "nowhere")
