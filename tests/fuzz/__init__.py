"""Property tests of everything that reads bytes from outside.

The contract of every reader: a result, or a failure with a reason other than `internal`; the same for the same bytes in
any pieces. `make test` tries a hundred inputs for each, always the same ones; `make fuzz` tries new ones for as long as
it is told, guided by coverage where atheris is installed.
"""
