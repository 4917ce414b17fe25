import copy

import pytest

from router.errors import BugError, CallerError, FieldViolation, OverloadError


def test_an_error_names_every_field() -> None:
    error = CallerError([FieldViolation("scene", "is unknown"), FieldViolation("page_size", "is negative")])
    assert str(error) == "scene: is unknown; page_size: is negative"
    assert CallerError.of("scene", "is unknown").violations == (FieldViolation("scene", "is unknown"),)


def test_a_callers_error_without_a_field_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        CallerError([])


@pytest.mark.parametrize(
    "error", [CallerError.of("scene", "is unknown"), OverloadError(0.5, "queue"), BugError("r1")]
)
def test_errors_pass_between_processes(error: Exception) -> None:
    # Copying takes the way of pickling, by which Ray hands errors on.
    again = copy.copy(error)
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
