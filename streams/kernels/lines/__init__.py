"""Reads lines of passages into columns with compiled kernels; read `words`, `names`, then `passages`.

numba compiles these modules: they are loops over arrays that would be slow in Python. With `NUMBA_DISABLE_JIT=1` they
run as Python, and with `NUMBA_BOUNDSCHECK=1` every access is checked; the tests do both.
"""
