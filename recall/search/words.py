"""From text to the terms by which it is searched, the same for titles and for queries.

Case, accents and width of characters do not count (Unicode NFKD, case folding, combining marks left out). A
run of Chinese or Japanese characters has no spaces: it becomes its single characters and its overlapping
pairs, of which a query of two or more characters uses the pairs alone. English plurals lose their ending, by
a variant of the S-stemmer (Harman, "How effective is suffixing?", JASIS 1991).
"""

from __future__ import annotations

import re
import unicodedata

MAX_TEXT = 2_000
"""Characters of a text that are read."""
MAX_WORD = 40
"""Characters of a word that count."""
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUNS = re.compile(rf"[{_IDEOGRAPHS}]+|[^\W_{_IDEOGRAPHS}]+")
_IDEOGRAPH = re.compile(rf"[{_IDEOGRAPHS}]")
_LONG_OES = 6


def folded(text: str) -> str:
    """The text without case, accents and differences of width, white space as single blanks."""
    decomposed = unicodedata.normalize("NFKD", text[:MAX_TEXT]).casefold()
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(unicodedata.normalize("NFC", bare).split())


def terms_of(text: str) -> list[str]:
    """Terms of a text that is searched, in its order, with repeats."""
    terms = []
    for run in _RUNS.findall(folded(text)):
        if _IDEOGRAPH.match(run):
            terms += [*run, *_pairs(run)]
        else:
            terms.append(_stem(run[:MAX_WORD]))
    return terms


def query_terms(text: str) -> list[str]:
    """Terms that an item should have which the query is looking for: distinct, in the query's order."""
    terms = []
    for run in _RUNS.findall(folded(text)):
        if _IDEOGRAPH.match(run):
            terms += _pairs(run) or [run]
        else:
            terms.append(_stem(run[:MAX_WORD]))
    return list(dict.fromkeys(terms))


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)]


def _stem(word: str) -> str:
    """The singular of an English plural; other words as they are."""
    if len(word) < 4 or not word.isascii() or not word.endswith("s") or word.endswith(("us", "ss")):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")) and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("xes", "ches", "shes", "sses", "zes")) or (
        word.endswith("oes") and len(word) >= _LONG_OES
    ):
        return word[:-2]
    return word[:-1]
