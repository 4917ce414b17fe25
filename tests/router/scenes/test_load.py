"""The scene configuration: what is read, and how a mistake is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from router.filters.already_bought import AlreadyBoughtSettings
from router.scenes.load import KnownNames, Scenes, load_scenes, read_scenes
from router.scenes.problems import SettingsError
from router.scenes.ranking_settings import PrerankSettings
from router.scenes.recall_settings import SceneChannel
from router.scenes.settings import SceneSettings
from router.service.validation import ITEM_SCENES, SIMILAR_ITEMS_SCENE

CHANNELS = (
    "ranki2i",
    "bought_together",
    "mind",
    "hot",
    "category_hot",
    "again",
    "context",
    "similar_look",
    "outfit",
)
CONFIG = Path(__file__).parents[3] / "config" / "scenes.yaml"


def read(text: str, models: Sequence[str] | None = None) -> Scenes:
    return read_scenes(text.encode(), "scenes.yaml", KnownNames(CHANNELS, models))


def refused(text: str, models: Sequence[str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        read(text, models)
    assert str(caught.value).startswith("scenes.yaml is refused:")
    return "\n".join(caught.value.problems)


def test_the_projects_own_scenes_are_good() -> None:
    scenes = load_scenes(CONFIG, KnownNames(CHANNELS, ("bst",)))
    assert list(scenes) == [
        "home",
        "halls",
        "cart",
        "search_companion",
        "photo_search",
        "match_outfit",
        "similar_items",
        "substitutes",
        "complements",
    ]
    assert set(ITEM_SCENES) < set(scenes)
    assert [name for name in scenes if scenes[name].cart is not None] == ["cart"]
    assert list(scenes["home"].filters) == [
        "excluded",
        "out_of_stock",
        "on_offer",
        "adult",
        "purchase_cycle",
        "not_interested",
        "seen_too_often",
    ]
    assert scenes["photo_search"].needs == list(scenes["photo_search"].channels) == ["similar_look"]
    assert scenes["match_outfit"].needs == list(scenes["match_outfit"].channels) == ["outfit"]
    for name in set(scenes) - {"photo_search", "match_outfit"}:
        scene = scenes[name]
        assert scene.backfill is not None
        assert "hot" in scene.channels
    assert list(scenes["home"].rerank) == [
        "dedup",
        "novelty",
        "fatigue",
        "templates",
        "mmr",
        "discovery",
        "head_cap",
        "apart",
    ]
    assert list(scenes["cart"].rerank) == ["dedup"]
    for name in ITEM_SCENES:
        # Alternatives are of one category by nature.
        assert list(scenes[name].rerank) == (["dedup"] if name == "substitutes" else ["dedup", "scatter"])
        scorer = "anchor_ranker" if name == SIMILAR_ITEMS_SCENE else "anchor"
        assert list(scenes[name].ranking.scorers) == [scorer]


def test_a_scene_without_keys_takes_every_default() -> None:
    scenes = read("scenes: {home: {}}")
    assert scenes["home"] == SceneSettings()
    assert "home" in scenes
    assert "cart" not in scenes
    assert len(scenes) == 1


def test_a_fusion_may_name_only_channels_of_its_scene() -> None:
    text = """
defaults:
  fusion: {reciprocal_rank: {floors: {mind: 0.2}}}
scenes:
  home: {channels: {hot: {}, mind: {}}}
  cart:
    channels: {hot: {}}
    fusion: {reciprocal_rank: {ceilings: {again: 0.3}}}
"""
    assert refused(text).splitlines() == [
        "defaults.fusion.reciprocal_rank.floors.mind: unknown channel of this scene; expected one of hot",
        "scenes.cart.fusion.reciprocal_rank.ceilings.again: unknown channel of this scene; "
        "expected one of hot",
    ]
    scenes = read(text.replace("channels: {hot: {}}", "channels: {hot: {}, mind: {}, again: {}}"))
    assert list(scenes["cart"].fusion) == ["reciprocal_rank"]


def test_floors_that_sum_to_more_than_all_are_refused() -> None:
    fusion = "{reciprocal_rank: {floors: {hot: 0.6, mind: 0.5}}}"
    text = f"scenes: {{a: {{channels: {{hot: {{}}, mind: {{}}}}, fusion: {fusion}}}}}"
    assert refused(text) == "scenes.a.fusion.reciprocal_rank: floors must sum to at most 1, got 1.1"


def test_a_scene_inherits_merges_replaces_and_removes() -> None:
    scenes = read(
        """
defaults:
  candidates: 100
  channels:
    hot: {share: 0.5, k: 7}
    mind: {}
  filters: {excluded: {}, already_bought: {window_days: 3.0}}
  ranking: {timeout_ms: 20.0}
scenes:
  plain: {}
  own:
    candidates: 200
    channels: {hot: {k: 9}, mind: null, ranki2i: {}}
    filters: {excluded: null, already_bought: {window_days: 5}, adult: {}}
    ranking: {enabled: false}
"""
    )
    plain, own = scenes["plain"], scenes["own"]
    assert plain.candidates == 100
    assert list(plain.channels) == ["hot", "mind"]
    assert own.channels == {"hot": SceneChannel(share=0.5, k=9), "ranki2i": SceneChannel()}
    assert list(own.filters) == ["already_bought", "adult"]
    assert own.filters["already_bought"] == AlreadyBoughtSettings(window_days=5)
    assert own.candidates == 200
    assert (own.ranking.enabled, own.ranking.timeout_ms) == (False, 20.0)


def test_prerank_is_inherited_changed_and_removed_by_scene() -> None:
    scenes = read(
        """
defaults: {prerank: {candidates: 2000}}
scenes:
  plain: {}
  own: {prerank: {timeout_ms: 9.0}, deadline: {prerank_share: 0.4}}
  without: {prerank: null, candidates: 4000, deadline: {recall_share: 0.9}}
"""
    )
    assert scenes["plain"].prerank == PrerankSettings(candidates=2000)
    assert scenes["own"].prerank == PrerankSettings(candidates=2000, timeout_ms=9.0)
    assert scenes["without"].prerank is None
    switched_on = read("defaults: {prerank: null}\nscenes: {a: {prerank: {}}, b: {}, c: {prerank: null}}")
    assert [scene.prerank for scene in switched_on.by_name.values()] == [PrerankSettings(), None, None]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("scenes: {a: {channels: {ranki2i: {share: -1}}}}", "scenes.a.channels.ranki2i.share: should be"),
        ("scenes: {a: {channels: {ranki2i: {shares: 1}}}}", "scenes.a.channels.ranki2i.shares: unknown key"),
        ("scenes: {a: {channels: {ranki2i: {k: 0}}}}", "scenes.a.channels.ranki2i.k: should be greater"),
        (
            "scenes: {a: {channels: {ranki2i: {k: true}}}}",
            "scenes.a.channels.ranki2i.k: should be a valid int",
        ),
        ("scenes: {a: {channels: {hot: {share: .nan}}}}", "scenes.a.channels.hot.share: should be a finite"),
        (
            "scenes: {a: {channels: {rank2i: {}}}}",
            "scenes.a.channels.rank2i: unknown channel; expected one of again",
        ),
        ("scenes: {a: {channels: {rank2i: {}}}}", "did you mean ranki2i?"),
        ("scenes: {a: {channels: {hot: {share: 0}}}}", "scenes.a.channels: the channels' shares must sum"),
        ("scenes: {a: {modulation: {}}}", "scenes.a: modulation needs feature_log.enabled"),
        (
            "scenes: {a: {modulation: {bounds: {mind: {}}}, feature_log: {enabled: true}}}",
            "scenes.a: modulation.bounds must name channels of the scene; mind is none",
        ),
        (
            "scenes: {a: {modulation: {bounds: {hot: {least: 1.5}}}, feature_log: {enabled: true}}}",
            "scenes.a.modulation.bounds.hot.least: should be less than or equal to 1, got 1.5",
        ),
        (
            "scenes: {a: {modulation: {most: 0.9}, feature_log: {enabled: true}}}",
            "scenes.a.modulation.most: should be greater than or equal to 1, got 0.9",
        ),
        ("scenes: {a: {channels: {}}}", "scenes.a.channels: at least one channel"),
        ("scenes: {a: {channels: 3}}", "scenes.a.channels: should be a valid dictionary, got 3"),
        ("scenes: {a: {backfill: {channel: warm}}}", "scenes.a.backfill.channel: unknown channel warm"),
        ("scenes: {a: {filters: {exclude: {}}}}", "scenes.a.filters.exclude: unknown filter"),
        ("scenes: {a: {filters: [excluded]}}", "scenes.a.filters: a mapping of filter names"),
        ("scenes: {a: {filters: {excluded: true}}}", "scenes.a.filters.excluded: a mapping is expected"),
        ("scenes: {a: {filters: {excluded: }}}", "scenes.a.filters.excluded: null removes"),
        (
            "scenes: {a: {filters: {adult: {age: 3}}}}",
            "scenes.a.filters.adult.age: unknown key; expected one of (none)",
        ),
        (
            "scenes: {a: {filters: {already_bought: {window_days: -3}}}}",
            "scenes.a.filters.already_bought.window_days: should be greater than 0, got -3",
        ),
        (
            "scenes: {a: {rerank: {shuffle: {}}}}",
            "scenes.a.rerank.shuffle: unknown reranker; expected one of apart, dedup",
        ),
        (
            "scenes: {a: {rerank: {scatter: {rules: [{by: brand}, {by: hue}]}}}}",
            "scenes.a.rerank.scatter.rules[1].by: must be a dimension that forms groups: category, ",
        ),
        (
            "scenes: {a: {rerank: {scatter: {rules: [{windw: 3}]}}}}",
            "scenes.a.rerank.scatter.rules[0].windw: unknown key; expected one of by, max, spares_anchors, "
            "window; did you mean window?",
        ),
        ("scenes: {a: {page: {default_size: 50, max_size: 20}}}", "scenes.a.page.max_size: must be at least"),
        (
            "scenes: {a: {deadline: {recall_share: 0.95}}}",
            "scenes.a.deadline: recall_share and rerank_share must sum to at most 1",
        ),
        ("scenes: {a: {oversample: 0.5}}", "scenes.a.oversample: should be greater than or equal to 1"),
        ("scenes: {a: {backfil: {}}}", "scenes.a.backfil: unknown key"),
        (
            "scenes: {a: {ranking: {model: gbm}}}",
            "scenes.a.ranking.model: unknown model gbm; expected one of bst",
        ),
        (
            "scenes: {a: {prerank: {model: towers}}}",
            "scenes.a.prerank.model: unknown model towers; expected one of bst",
        ),
        (
            "scenes: {a: {candidates: 400, prerank: {candidates: 399}}}",
            "scenes.a: prerank.candidates (399) must be at least candidates (400)",
        ),
        (
            "scenes: {a: {prerank: {}, ranking: {enabled: false}}}",
            "scenes.a: prerank narrows what ranking scores, and ranking.enabled is false",
        ),
        (
            "scenes: {a: {prerank: {}, deadline: {prerank_share: 0.41}}}",
            "scenes.a: deadline.recall_share, prerank_share and rerank_share must sum to at most 1",
        ),
        (
            "scenes: {a: {prerank: {keep: 3}}}",
            "scenes.a.prerank.keep: unknown key; expected one of candidates",
        ),
        ("scenes: {a: {prerank: }}", "scenes.a.prerank: null removes what defaults set"),
        ("scenes: {a: }", "scenes.a: a mapping of scene keys is expected"),
        ("scenes: {'a b': {}}", "scenes.a b: a scene's name"),
        ("scenes: {}", "scenes: a mapping with at least one scene"),
        ("defaults: {}", "scenes: a mapping with at least one scene"),
        ("scene: {a: {}}\nscenes: {a: {}}", "scene: unknown key; expected one of defaults, page, scenes"),
        ("defaults: 3\nscenes: {a: {}}", "defaults: a mapping"),
        ("", "a mapping with the key scenes is expected"),
        ("- a", "a mapping with the key scenes is expected"),
        ("scenes:\n  a: {}\n  b: {}\n  a: {}", "scenes.a: the key comes twice, on lines 2 and 4"),
        ("scenes: {a: {filters: {adult: {}, adult: {}}}}", "scenes.a.filters.adult: the key comes twice"),
        ("scenes:\n  a: {]", "line 2, column 7"),
        ("scenes: {1: {}}", "a key under scenes is not text (1)"),
        ("scenes: &again {a: *again}", "contains itself"),
        ("scenes: {a: {candidates: !!python/object:os.system {}}}", "could not determine a constructor"),
    ],
)
def test_a_mistake_is_refused_and_named(text: str, problem: str) -> None:
    assert problem in refused(text, models=("bst",))


def test_a_mistake_in_the_defaults_is_named_there_and_once() -> None:
    problems = refused(
        "defaults: {candidates: 0, ranking: {timeout_ms: -1}}\nscenes: {a: {}, b: {candidates: 5}}"
    )
    assert problems.splitlines() == [
        "defaults.candidates: should be greater than or equal to 1, got 0",
        "defaults.ranking.timeout_ms: should be greater than 0, got -1",
    ]


def test_every_mistake_is_named_at_once() -> None:
    problems = refused(
        "scenes: {a: {candidates: 0, channels: {warm: {}}}, b: {filters: {x: {}}, oversample: 99}}"
    )
    assert [line.split(":")[0] for line in problems.splitlines()] == [
        "scenes.a.channels.warm",
        "scenes.a.candidates",
        "scenes.b.filters.x",
        "scenes.b.oversample",
    ]


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(SettingsError, match="utf-8"):
        read_scenes(b"scenes: {a: \xff}", "scenes.yaml", KnownNames(CHANNELS))


def test_yaml_merge_keys_still_work() -> None:
    scenes = read("scenes: {a: &a {candidates: 7, oversample: 2.0}, b: {<<: *a, candidates: 9}}")
    assert (scenes["b"].candidates, scenes["b"].oversample) == (9, 2.0)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_scenes(tmp_path / "none.yaml", KnownNames(CHANNELS))


@pytest.mark.parametrize(
    "model",
    [
        SceneSettings,
        SceneChannel,
        PrerankSettings,
        type(SceneSettings().ranking),
        type(SceneSettings().page),
        type(SceneSettings().deadline),
    ],
)
def test_every_setting_says_what_it_is(model: type) -> None:
    for name, field in model.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name
