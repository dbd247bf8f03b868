"""A WebSocket handshake, and a message in each direction."""
