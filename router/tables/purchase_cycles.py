"""The learned table of how soon shoppers buy again."""

from recall.purchase_cycles import NAME, PurchaseCycleTableSettings, open_table
from recall.purchase_cycles_build import build
from router.tables.kind import TableKind
from router.tables.standard_categories import STANDARD_CATEGORIES

PURCHASE_CYCLES = TableKind(NAME, PurchaseCycleTableSettings, build, open_table, uses=(STANDARD_CATEGORIES,))
