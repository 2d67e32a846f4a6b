"""Measures how costs grow with size: `python -m tests.benchmarks.growth kernels|chain`; results: docs/growth.md.

Reading order: `places` and `traffic` make a site and its passages up; `cases`, `kernels` and `plant`, `chain` measure;
`reckoning` does the arithmetic of a city; `page` writes it down.
"""
