"""One file an artefact: a catalog goes in, files come out, and nothing else happens."""
