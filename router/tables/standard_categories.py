"""The learned table of standard categories, which the filter of purchases and the scatter of pages share."""

from recall.standard_categories import NAME, build, open_table
from recall.standard_category_settings import StandardCategorySettings
from router.tables.kind import TableKind

STANDARD_CATEGORIES = TableKind(NAME, StandardCategorySettings, build, open_table)
