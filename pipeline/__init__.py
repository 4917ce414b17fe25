"""The stage framework: columns of candidates travel through channels, fusion, filters, ranking and rerank.

Knows nothing of shops, servers or models; needs NumPy and the standard library only.
"""
