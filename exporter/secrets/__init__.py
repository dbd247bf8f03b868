"""Create, list, check, rotate and revert the secrets of an environment: files on its host, or secrets of a Swarm.

A value goes from where it comes from into a file of the secrets folder. It is never an argument, a variable of a
program that is started, a message or a part of an error.
"""
