"""An ICMP echo request."""
