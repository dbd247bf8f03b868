"""The daemon: schedule, state, web server and reload."""
