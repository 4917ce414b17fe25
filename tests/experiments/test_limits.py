"""What a request must not pay for: heavy imports, and names that a token cannot hold."""

import subprocess
import sys

import pytest

from experiments.settings import MAX_LAYERS, NAME
from state.attribution import MAX_TOKEN_BYTES, Attribution, AttributionCodec


@pytest.mark.slow
def test_serving_loads_nothing_that_only_the_report_needs() -> None:
    code = (
        "import sys, server.startup, rollout.judging.judge, router.service.exposure\n"
        "heavy = ('scipy', 'matplotlib', 'pandas', 'polars', 'torch')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_the_longest_names_fit_into_a_token() -> None:
    longest = "x" * 24
    assert NAME.fullmatch(longest)
    assert not NAME.fullmatch(longest + "x")
    arms = {f"{layer}{longest[1:]}": longest for layer in range(MAX_LAYERS)}
    # A rollout has an arm too.
    arms["rollout-20260101T000000Z"] = "candidate"
    attribution = Attribution(
        "f" * 32, "s" * 64, "20260101T000000Z-0123abcd", "m" * 16, "12", arms, 1_700_000_000
    )
    assert len(AttributionCodec([b"s" * 32]).encode(attribution)) <= MAX_TOKEN_BYTES
