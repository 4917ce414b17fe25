"""Calls above the bound are told to retry, and places come back however a call ends."""

import pytest

from router.errors import OverloadError
from router.service.admission import Admission


def test_refuses_above_the_bound_and_frees_places() -> None:
    admission = Admission(max_concurrent=2, retry_after_s=0.7)
    with admission.admit(), admission.admit():
        with pytest.raises(OverloadError) as refused, admission.admit():
            pytest.fail("a third call was admitted")
        assert refused.value.retry_after_s == 0.7
        assert admission.in_progress == 2
    assert admission.in_progress == 0


def test_a_failed_call_frees_its_place() -> None:
    admission = Admission(max_concurrent=1, retry_after_s=0.1)
    with pytest.raises(KeyError), admission.admit():
        raise KeyError
    with admission.admit():
        assert admission.in_progress == 1
