"""What growth costs: `python -m tests.benchmarks.growth kernels`, or `chain`; what came of it is in docs/growth.md.

Reading order: `places` and `traffic` make a site and its passages up; `cases`, `kernels` and `plant`, `chain` measure;
`reckoning` does the arithmetic of a city; `page` writes it down.
"""
