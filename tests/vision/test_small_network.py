"""A shop's small network: trained, calibrated, written, and used from its files alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from typer.testing import CliRunner

from models.category_training import LabelledPictures
from shopfront.category_network_command import named, train_for
from shopfront.command_line import app
from testing.picture_shop import draw, jpeg
from tests.vision.conftest import settings_of
from tests.vision.picture_shop import PictureShop
from vision import train_small_network as train_small_network_module
from vision.category_sales import Sales
from vision.item_files import ItemPicture
from vision.settings import CategoryNetworkSettings, PictureLimits
from vision.small_predictor import GRAPH, NAMES, SmallPredictor, pixels_of, stretched
from vision.train_small_network import Level, train_small_network

SHAPES, COUNT = 2, 240


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that tells discs from squares, and two halves that nobody could tell from each other."""
    folder = tmp_path_factory.mktemp("network")
    shapes = np.arange(COUNT, dtype=np.int32) % SHAPES
    pictures = np.stack([stretched(draw(int(each), row), 128, 96) for row, each in enumerate(shapes)])
    losses: list[float] = []
    meaning = train_small_network(
        pictures,
        np.arange(1, COUNT + 1, dtype=np.int32),
        [
            Level("shape", shapes + 1, ["", "disc", "square"]),
            Level("half", (np.arange(COUNT) // 2 % 2 + 1).astype(np.int32), ["", "first", "second"]),
        ],
        folder,
        4,
        1,
        lambda done, loss: losses.append(loss),
        Sales(np.array([0, 200, 100]), 30),
        CategoryNetworkSettings(draw_by="sales"),
    )
    assert len(losses) == 4
    assert meaning.drawn.startswith("as 300 purchases of the log's last 30 days")
    assert meaning.levels[0].accuracy_as_sold == pytest.approx(meaning.levels[0].accuracy, abs=0.1)
    assert losses[-1] < losses[0]
    assert meaning.levels[0].accuracy > 0.8
    assert abs(meaning.levels[1].accuracy - 0.5) < 0.25
    return folder


@pytest.mark.slow
def test_it_names_what_it_learned_from_files_of_two_megabytes(written: Path) -> None:
    assert {each.name for each in written.iterdir()} == {GRAPH, NAMES}
    assert (written / GRAPH).stat().st_size < 2_000_000
    graph = onnx.load(written / GRAPH).graph
    stored = {each.name: each for each in graph.initializer}
    convolutions = [each.input[1] for each in graph.node if each.op_type == "Conv"]
    # Weights of the first layers are stored as they are, those of all others as 8 bits behind a node.
    assert [each in stored for each in convolutions] == [True] * 9 + [False] * (len(convolutions) - 9)
    sizes = {tuple(each.dims[2:]) for each in stored.values() if len(each.dims) == 4}
    assert sizes == {(1, 1), (3, 3)}
    predictor = SmallPredictor(written)
    found = [predictor.name(draw(each % SHAPES, 5_000 + each)) for each in range(24)]
    right = [shape.names[0] == ("disc", "square")[each % SHAPES] for each, (shape, _) in enumerate(found)]
    assert np.mean(right) > 0.8
    for levels in found:
        assert [each.column for each in levels] == ["shape", "half"]
        assert sum(levels[0].probabilities) == pytest.approx(1)
        assert levels[0].probabilities[0] >= levels[0].probabilities[1]
    # What it learned for nothing is as likely as not: calibrated.
    assert np.mean([half.probabilities[0] for _, half in found]) < 0.75
    assert predictor.name(draw(0, 5_001), 1)[0].names == found[0][0].names[:1]


@pytest.mark.slow
def test_an_improbable_picture_is_of_nothing_known(written: Path, tmp_path: Path) -> None:
    meaning = json.loads((written / NAMES).read_text())
    (tmp_path / GRAPH).write_bytes((written / GRAPH).read_bytes())
    for threshold, known in ((0.0, True), (1.0, False)):
        meaning["levels"][1]["least_probability"] = threshold
        (tmp_path / NAMES).write_text(json.dumps(meaning))
        assert SmallPredictor(tmp_path).name(draw(0, 7))[1].known is known
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg(draw(0, 7)))
    printed = CliRunner().invoke(app, ["name-category", str(photo), "--network", str(tmp_path)])
    assert printed.exit_code == 0
    assert "disc" in printed.output
    assert "half: the picture is of nothing known" in printed.output
    photo.write_text("no picture")
    with pytest.raises(ValueError, match=r"photo\.jpg"):
        named(photo, tmp_path, 5)
    meaning["levels"][0]["names"] = ["disc", "square", "triangle"]
    (tmp_path / NAMES).write_text(json.dumps(meaning))
    with pytest.raises(ValueError, match="different networks"):
        SmallPredictor(tmp_path)


def test_files_that_are_missing_or_damaged_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=NAMES):
        SmallPredictor(tmp_path)
    level = {"column": "c", "names": ["a", "b"], "temperature": 1, "least_probability": 0.2, "accuracy": 1}
    for wrong in ({"temperature": 0}, {"names": ["a"]}, {"least_probability": 2}):
        text = json.dumps({"height": 128, "width": 96, "levels": [level | wrong]})
        (tmp_path / NAMES).write_text(text)
        with pytest.raises(ValueError, match=NAMES):
            SmallPredictor(tmp_path)
    (tmp_path / NAMES).write_text(json.dumps({"height": 128, "width": 96, "levels": [level]}))
    (tmp_path / GRAPH).write_bytes(b"no graph")
    with pytest.raises(ValueError, match=GRAPH):
        SmallPredictor(tmp_path)


def test_pictures_that_cannot_be_used_are_counted_and_left_out() -> None:
    pictures = [
        ItemPicture(1, b"", "no_file: there is no such file"),
        ItemPicture(2, jpeg(draw(0, 1))),
        ItemPicture(3, b"text"),
        ItemPicture(4, jpeg(Image.new("RGB", (64, 64), (255, 0, 0)), 100)),
    ]
    pixels = np.zeros((4, 32, 24, 3), np.uint8)
    items, refused = pixels_of(iter(pictures), PictureLimits(), pixels)
    assert items.tolist() == [2, 4]
    assert refused == {"no_file: there is no such file": 1, "unknown_format": 1}
    assert np.abs(pixels[1].astype(int) - (255, 0, 0)).max() <= 2
    assert not pixels[2:].any()


def test_pictures_are_drawn_to_learn_from_as_their_first_column_was_bought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedError(Exception):
        """Training is not needed."""

    seen: list[LabelledPictures] = []

    def train(training: LabelledPictures, *rest: object) -> None:
        seen.append(training)
        raise StoppedError

    monkeypatch.setattr(train_small_network_module, "train_network", train)
    items = np.arange(1, 301, dtype=np.int32)
    levels = [
        Level("shape", np.repeat(np.array([3, 1, 2], np.int32), 100), ["", "disc", "square", "star"]),
        Level("half", items % 2 + 1, ["", "first", "second"]),
    ]
    pixels, sales = np.zeros((300, 8, 6, 3), np.uint8), Sales(np.array([0, 30, 10, 0]), 30)
    for settings in (CategoryNetworkSettings(draw_by="sales", least_draws=0.3), CategoryNetworkSettings()):
        with pytest.raises(StoppedError):
            train_small_network(
                pixels, items, levels, tmp_path, 1, 1, lambda done, loss: None, sales, settings
            )
    by_sales, evenly = seen
    assert evenly.draws is None
    assert by_sales.draws is not None
    classes = by_sales.classes[0][by_sales.rows]
    disc, square, star = (by_sales.draws[classes == each].mean() for each in range(3))
    assert star == pytest.approx(0.3)
    assert disc > 2.5 * square > star


def test_too_little_to_learn_from_is_said(tmp_path: Path) -> None:
    items = np.arange(1, 301, dtype=np.int32)
    pixels = np.zeros((300, 128, 96, 3), np.uint8)
    one = Level("category", np.ones(300, np.int32), ["", "a"])
    two = Level("category", (items % 2 + 1).astype(np.int32), ["", "a", "b"])
    few = Level("category", two.codes[:150], two.names)
    for level, count in ((one, 300), (few, 150), (Level("category", one.codes * 0, ["", "a"]), 300)):
        with pytest.raises(ValueError, match="too few pictures"):
            train_small_network(
                pixels[:count], items[:count], [level], tmp_path, 1, 1, lambda done, loss: None
            )
    # Seed 1 holds out neither of two items with 150 pictures each.
    half = np.repeat(np.array([1, 2], np.int32), 150)
    with pytest.raises(ValueError, match="too few items"):
        train_small_network(
            pixels, half, [Level("category", half, two.names)], tmp_path, 1, 1, lambda done, loss: None
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_reads_a_shops_pictures_and_says_what_lacks(
    picture_shop: PictureShop, tmp_path: Path
) -> None:
    settings = settings_of(picture_shop.workspace)

    def trained(column: str) -> None:
        train_for(
            picture_shop.workspace,
            settings,
            picture_shop.data,
            [column],
            tmp_path,
            1,
            lambda done, loss: None,
        )

    with pytest.raises(ValueError, match="200 are needed"):
        trained("category")
    with pytest.raises(ValueError, match="no column colourless"):
        trained("colourless")
    assert not list(tmp_path.iterdir())
