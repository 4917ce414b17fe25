"""The stage framework: columns of candidates travel through channels, fusion, filters, a scorer and rerankers.

Knows nothing of shops, servers or models; needs NumPy and the standard library only.
"""
