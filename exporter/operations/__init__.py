"""Operators' commands for an environment and its host: status, doctor, compose, destroy."""
