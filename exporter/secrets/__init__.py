"""Commands for the secrets of an environment, which are files on its host or secrets of a Swarm.

A value goes only from its source into a file of the secrets folder. It is never an argument or a variable of another
program, and never part of a message or an error.
"""
