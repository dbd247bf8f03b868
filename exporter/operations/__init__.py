"""Operators' commands that look at an environment and its host: status, doctor, compose, destroy."""
