"""Property tests of everything that reads bytes from outside.

The contract of every reader: a result, or a failure with a reason other than `internal`; the same for the same bytes
split in any way. `make test` tries a hundred inputs per test, always the same ones. `make fuzz` tries new ones for
the given time, guided by coverage where atheris is installed.
"""
