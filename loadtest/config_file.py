"""ghz's --config: a JSON, TOML or YAML file whose keys are the long names of the options, and `host`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import yaml

from loadtest.errors import LoadTestError
from loadtest.options import OPTIONS, REFUSED_OPTIONS


def read_config(path: str) -> dict[str, Any]:
    """The file's values by option name.

    Raises LoadTestError for a key that is no option, and for ghz's refused ones.
    """
    values = _parsed(path)
    known = {option.name for option in OPTIONS} | {"host"}
    for name in values:
        if name in REFUSED_OPTIONS:
            raise LoadTestError(f"--config: {path}: {name} of ghz is not supported: {REFUSED_OPTIONS[name]}")
        if name not in known:
            raise LoadTestError(f"--config: {path}: {name!r} is no option")
    return values


def _parsed(path: str) -> dict[str, Any]:
    suffix = Path(path).suffix.lower()
    try:
        content = Path(path).read_text()
        if suffix == ".toml":
            values: Any = tomllib.loads(content)
        elif suffix in (".yaml", ".yml"):
            values = yaml.safe_load(content)
        elif suffix == ".json":
            values = json.loads(content)
        else:
            raise LoadTestError(f"--config: {path} ends in none of .json, .toml, .yaml")
    except OSError as error:
        raise LoadTestError(f"--config: {path} cannot be read: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise LoadTestError(f"--config: {path} cannot be parsed: {error}") from error
    if not isinstance(values, dict):
        raise LoadTestError(f"--config: {path} holds no object of options")
    return values
