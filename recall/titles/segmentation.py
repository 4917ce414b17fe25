"""Words of Chinese titles, found by jieba: which word a character belongs to, and where in it it is."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jieba


@lru_cache(maxsize=1)
def _segmenter() -> jieba.Tokenizer:
    """Jieba with its dictionary; made once, which takes a second.

    The dictionary is read from the package, not from the file that jieba would keep in the system's folder
    for temporary files, where anybody may write.

    Raises:
        ValueError: jieba is not installed.
    """
    try:
        import jieba
    except ImportError as error:
        raise ValueError(
            f"the library jieba, which finds the words of Chinese titles, cannot be imported ({error}): "
            "install the extra chinese (pip install 'shopfront[chinese]'), or take tagged_titles out of the "
            "shop's folder"
        ) from error
    jieba.setLogLevel(logging.WARNING)
    segmenter = jieba.Tokenizer()
    segmenter.FREQ, segmenter.total = segmenter.gen_pfdict(segmenter.get_dict_file())
    segmenter.initialized = True
    return segmenter


def word_places(characters: Sequence[str]) -> tuple[list[str], list[str]]:
    """The word of each character, and its place in it: B first, M between, E last, S alone.

    Raises ValueError where jieba is not installed.
    """
    words: list[str] = []
    places: list[str] = []
    for word in _segmenter().lcut("".join(characters)):
        words += [word] * len(word)
        places += ["S"] if len(word) == 1 else ["B", *"M" * (len(word) - 2), "E"]
    return words, places
