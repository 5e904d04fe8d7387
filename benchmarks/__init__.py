"""Benchmarks of quern: ``python -m benchmarks --list`` names them."""
