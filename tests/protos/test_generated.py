"""The committed stubs are those of the committed contracts, and every field is documented."""

import re
from pathlib import Path

import pytest

from protos.generate import PROJECT, generate

CONTRACTS = sorted((PROJECT / "protos").rglob("*.proto"))


def test_committed_stubs_are_current(tmp_path: Path) -> None:
    for fresh in generate(tmp_path):
        committed = PROJECT / fresh.relative_to(tmp_path)
        assert committed.read_text() == fresh.read_text(), f"{committed} is stale: run `make protos`"


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda path: path.name)
def test_every_field_and_rpc_is_documented(contract: Path) -> None:
    lines = contract.read_text().splitlines()
    declares = re.compile(r"^\s+(rpc \w+|(repeated |optional )?[\w.<>, ]+ \w+ = \d+;|[A-Z_]+ = [1-9]\d*;)")
    bare, documented = [], False
    for line in lines:
        if line.strip().startswith("//"):
            documented = True
        elif declares.match(line):
            # A field straight below a documented one may share its comment (title and category).
            if not documented:
                bare.append(line.strip())
        else:
            documented = False
    assert not bare, f"{contract.name}: undocumented: {bare}"
