"""Where the gateway's container listens, and where it finds its files: what nginx.conf and Compose must agree on."""

from __future__ import annotations

HTTP_PORT = 8080
HTTPS_PORT = 8443
"""Above 1024, so that a user who is not root may listen on them."""

CONFIGURATION = "/etc/nginx/nginx.conf"
TLS_CERTIFICATE = "/etc/nginx/tls/certificate.pem"
TLS_KEY = "/etc/nginx/tls/key.pem"
"""The catalog says where these are on the host; they are mounted here."""

OWN_PATHS = "/-/gateway"
LIVE_PATH = f"{OWN_PATHS}/live"
"""Whether nginx itself answers: what the container's health check asks, on `HTTP_PORT`, by any host name."""
READY_PATH = f"{OWN_PATHS}/ready"
"""Whether the services behind it answer: 204 when every one does, else 503. `READY_PATH/SERVICE` is of one alone."""
