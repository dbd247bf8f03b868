"""From a checked catalog to the flat plan that the daemon runs on."""
