"""Measure, explain and use the spikes of truncated-SVD embeddings.

Data goes one way::

    interactions X  ->  co-occurrence C  ->  PPMI matrix M  ->  embeddings E  ->  spikes
    datasets            ppmi                 ppmi               svd               spikes

A module imports only from the modules to its left. Each is imported by name,
``from spikylib import datasets, ppmi, svd, spikes``; nothing heavy is loaded by
``import spikylib`` alone.
"""

__version__ = "0.2.0"
