"""Pictures of reports are drawn where matplotlib is installed; elsewhere reports say what draws them."""

import sys
from pathlib import Path

import msgspec
import pytest

from foundation.statistics.figure_file import PlotsMissing, new_figure, save_figure
from shopfront.report_files import write_report_files


def _draw(report: object, path: Path) -> None:
    save_figure(new_figure(1, 1), path)


def test_a_report_without_matplotlib_has_its_data_and_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    data, picture = tmp_path / "reports" / "x.json", tmp_path / "reports" / "x.png"
    with pytest.raises(PlotsMissing, match=r"install the extra `plots` \(pip install 'shopfront\[plots\]'\)"):
        new_figure(1, 1)
    said = write_report_files({"arms": 2}, data, picture, _draw)
    assert said.startswith(f"written to {data}; no picture was drawn, since matplotlib cannot be imported")
    assert msgspec.json.decode(data.read_bytes()) == {"arms": 2}
    assert [path.name for path in data.parent.iterdir()] == ["x.json"]


def test_with_it_the_picture_lies_beside_the_data_and_nothing_else_does(tmp_path: Path) -> None:
    data, picture = tmp_path / "x.json", tmp_path / "x.png"
    assert write_report_files([1], data, picture, _draw) == f"written to {data} and {picture}"
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="unknown"):
        save_figure(new_figure(1, 1), tmp_path / "x.unknown")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json", "x.png"]
