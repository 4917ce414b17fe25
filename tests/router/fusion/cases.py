"""What channels recalled, made up for the tests of fusions."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.pipeline.stand_ins import Columns

ANSWERS = st.lists(st.lists(st.integers(1, 40), unique=True, max_size=25), min_size=1, max_size=6)


def recalled(items: list[int], channel: int = 0) -> Columns:
    return Columns(
        np.array(items, dtype=np.int32),
        np.array([channel * 1000 - rank for rank in range(len(items))], dtype=np.float32),
        np.array([channel * 1000 + item for item in items], dtype=np.int32),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[int]], np.ndarray, int]:
    answers = draw(ANSWERS)
    shares = draw(
        st.lists(
            st.one_of(st.just(0.0), st.floats(0.01, 10)), min_size=len(answers), max_size=len(answers)
        ).filter(lambda drawn: sum(drawn) > 0)
    )
    return answers, np.array(shares), draw(st.integers(1, 60))
