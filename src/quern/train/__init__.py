"""Training (extra ``train``): the only folder that imports torch."""
