from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from ingest.importers import amazon_beauty, retailrocket, taobao
from ingest.importers.registry import IMPORTERS, detect_layout
from ingest.shop_tables import IngestError
from ingest.table_files import UnreadableFile
from snapshot.event_codes import CART, FAVORITE, PURCHASE, VIEW

NOW = datetime(2026, 1, 1, tzinfo=UTC)

USER_BEHAVIOR = """\
1,2268318,2520377,pv,1511544070
1,2333346,2520771,buy,1511561733
100,2268318,999,fav,1511600000
100,5,7,cart,1511600001
"""

RETAILROCKET = {
    "events.csv": (
        "timestamp,visitorid,event,itemid,transactionid\n"
        "1433221332117,257597,view,10,\n"
        "1433224214164,257597,addtocart,10,\n"
        "1433222276276,111016,transaction,20,4000\n"
        "x,111016,view,20,\n"
    ),
    "item_properties_part1.csv": (
        "timestamp,itemid,property,value\n"
        "1433000000000,10,categoryid,3\n"
        "1433100000000,10,categoryid,4\n"
        "1499999999999,10,categoryid,1\n"
        "1433000000000,10,790,n5.000\n"
    ),
    "item_properties_part2.csv": (
        "timestamp,itemid,property,value\n"
        "1433000000000,10,available,1\n"
        "1433200000000,10,available,0\n"
        "1433000000000,20,available,1\n"
        "1433000000000,20,categoryid,9\n"
    ),
    "category_tree.csv": "categoryid,parentid\n4,3\n3,2\n2,1\n1,\n9,\n",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_layouts_are_told_apart(tmp_path: Path) -> None:
    assert detect_layout(write(tmp_path / "t", {"UserBehavior.csv": USER_BEHAVIOR})) == "taobao"
    assert detect_layout(write(tmp_path / "r", RETAILROCKET)) == "retailrocket"
    assert detect_layout(write(tmp_path / "g", {"events.csv": ""})) == "generic"
    assert detect_layout(write(tmp_path / "p", {"events.parquet": ""})) == "generic"
    assert detect_layout(write(tmp_path / "t", {"mapping.yaml": ""})) == "generic"


def test_an_unknown_layout_is_answered_with_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"UserBehavior\.csv.*category_tree\.csv.*mapping\.yaml"):
        detect_layout(write(tmp_path / "x", {"orders.csv": ""}))
    with pytest.raises(IngestError, match="is no folder"):
        detect_layout(tmp_path / "nowhere")
    assert set(IMPORTERS) == {"taobao", "retailrocket", "amazon_beauty", "generic"}


def test_taobao(tmp_path: Path) -> None:
    tables = taobao.read(write(tmp_path / "t", {"UserBehavior.csv": USER_BEHAVIOR}), NOW)
    assert tables.events.select("user_id", "item_id", "event", "ts_ms").rows() == [
        (1, 2268318, VIEW, 1511544070000),
        (1, 2333346, PURCHASE, 1511561733000),
        (100, 2268318, FAVORITE, 1511600000000),
        (100, 5, CART, 1511600001000),
    ]
    assert tables.items is not None
    assert tables.items.sort("item_id").rows() == [("2268318", "999"), ("2333346", "2520771"), ("5", "7")]
    assert tables.users is None
    assert tables.removed == {}


def test_taobao_counts_what_it_cannot_use(tmp_path: Path) -> None:
    wrong = USER_BEHAVIOR + "1,5,7,pv,1505117799\n1,x,7,pv,1511600001\n1,5,7,hover,1511600001\n1,5,7,pv,-5\n"
    tables = taobao.read(write(tmp_path / "t", {"UserBehavior.csv": wrong}), NOW)
    assert tables.events.height == 4
    assert tables.removed == {
        "UserBehavior.csv: no item": 1,
        "UserBehavior.csv: unknown event 'hover'": 1,
        "UserBehavior.csv: time before 1970": 1,
        "UserBehavior.csv: outside the published period": 1,
    }


def test_taobao_names_a_torn_line(tmp_path: Path) -> None:
    folder = write(tmp_path / "t", {"UserBehavior.csv": USER_BEHAVIOR + "1,2,3,pv,1511600001,6\n"})
    with pytest.raises(UnreadableFile, match=r"UserBehavior\.csv, row 5"):
        taobao.read(folder, NOW)


def test_retailrocket(tmp_path: Path) -> None:
    tables = retailrocket.read(write(tmp_path / "r", RETAILROCKET), NOW)
    assert tables.events.select("user_id", "item_id", "event", "ts_ms").rows() == [
        (257597, 10, VIEW, 1433221332117),
        (257597, 10, CART, 1433224214164),
        (111016, 20, PURCHASE, 1433222276276),
    ]
    assert tables.removed == {"events.csv: no readable time": 1}
    assert tables.items is not None
    assert tables.items.select("item_id", "category", "standard_category", "in_stock").rows() == [
        ("10", "4", "1", False),
        ("20", "9", "9", True),
    ]


def test_retailrocket_refuses_a_tree_that_runs_in_a_circle(tmp_path: Path) -> None:
    files = RETAILROCKET | {"category_tree.csv": "categoryid,parentid\n4,3\n3,2\n2,4\n9,\n"}
    with pytest.raises(IngestError, match=r"category_tree\.csv.*their own ancestors"):
        retailrocket.read(write(tmp_path / "r", files), NOW)


def test_retailrocket_names_a_missing_column(tmp_path: Path) -> None:
    files = RETAILROCKET | {"category_tree.csv": "categoryid,above\n4,3\n"}
    with pytest.raises(IngestError, match=r"category_tree\.csv: lacks a column.*parentid"):
        retailrocket.read(write(tmp_path / "r", files), NOW)


def test_a_deep_tree_finds_its_root() -> None:
    depth = 200
    tree = pl.DataFrame(
        {
            "categoryid": [str(n) for n in range(depth)],
            "parentid": [*(str(n + 1) for n in range(depth - 1)), None],
        }
    )
    roots = retailrocket._roots(tree)
    assert roots["standard_category"].unique().to_list() == [str(depth - 1)]


def amazon_folder(folder: Path, **sequences: object) -> Path:
    """Two shoppers and four items; 90 and 91 are brands, 1 and 2 standard categories, 10 to 12 categories."""
    folder.mkdir()
    columns = {"user": [1, 2], "items": [[5, 6, 7], [8, 5]], "gap_sec": [[0, 0, 172_800], [0, 86_400]]}
    pl.DataFrame(columns | sequences).write_parquet(folder / "beauty_sequences.parquet")
    pl.DataFrame(
        {"item": [5, 6, 7, 8], "attributes": [[90, 1, 10], [1, 2, 11], [2], [91, 1, 10, 12]]}
    ).write_parquet(folder / "beauty_item_attributes.parquet")
    return folder


def test_amazon_beauty(tmp_path: Path) -> None:
    folder = amazon_folder(tmp_path / "a")
    assert detect_layout(folder) == "amazon_beauty"
    tables = amazon_beauty.read(folder, NOW)
    rows = tables.events.select("user_id", "item_id", "event").rows()
    assert rows == [(1, 5, PURCHASE), (1, 6, PURCHASE), (1, 7, PURCHASE), (2, 8, PURCHASE), (2, 5, PURCHASE)]
    first, second = (tables.events.filter(pl.col("user_id") == user)["ts_ms"].to_list() for user in (1, 2))
    assert [time - first[0] for time in first] == [0, 0, 172_800_000]
    assert second[1] - second[0] == 86_400_000
    end = datetime(2014, 7, 23, tzinfo=UTC).timestamp() * 1_000
    assert all(end - 365 * 86_400_000 <= times[-1] <= end for times in (first, second))
    assert first[-1] != second[-1]
    assert tables.events.equals(amazon_beauty.read(folder, NOW).events)
    assert tables.items is not None
    assert tables.items.select("item_id", "brand", "standard_category", "category").rows() == [
        ("5", "90", "1", "10"),
        ("6", None, "1", "11"),
        ("7", None, "2", "2"),
        ("8", "91", "1", "12"),
    ]


def test_amazon_beauty_names_a_shopper_without_a_gap_for_each_item(tmp_path: Path) -> None:
    folder = amazon_folder(tmp_path / "a", gap_sec=[[0, 0, 1], [0]])
    with pytest.raises(IngestError, match=r"beauty_sequences\.parquet: user 2 has 2 items but 1 gaps"):
        amazon_beauty.read(folder, NOW)


def test_amazon_beauty_names_a_missing_column(tmp_path: Path) -> None:
    folder = amazon_folder(tmp_path / "a")
    pl.DataFrame({"item": [5]}).write_parquet(folder / "beauty_item_attributes.parquet")
    with pytest.raises(IngestError, match=r"beauty_item_attributes\.parquet: lacks a column.*attributes"):
        amazon_beauty.read(folder, NOW)


def test_a_folder_of_no_known_layout_is_told_how_to_name_its_files(tmp_path: Path) -> None:
    shop = write(tmp_path / "x", {"orders.csv": "", "goods.xlsx": "", ".DS_Store": ""})
    with pytest.raises(IngestError, match=r"its files \(goods\.xlsx, orders\.csv\) .* write a mapping\.yaml"):
        detect_layout(shop)
    (tmp_path / "empty").mkdir()
    with pytest.raises(IngestError, match="is empty; write a mapping"):
        detect_layout(tmp_path / "empty")
    (tmp_path / "goods").mkdir()
    (tmp_path / "goods" / "Items.csv.gz").touch()
    with pytest.raises(IngestError, match=r"there are no events in it \(Items\.csv\.gz\), and the models"):
        detect_layout(tmp_path / "goods")
