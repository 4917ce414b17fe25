"""The path of a request: from a query through recall, fusion, filters, ranking and rerank to a page."""
