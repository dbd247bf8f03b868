"""Ports and paths of the gateway's container, which nginx.conf and Compose must agree on."""

from __future__ import annotations

HTTP_PORT = 8080
HTTPS_PORT = 8443
"""Above 1024, so that a user other than root can listen on them."""

CONFIGURATION = "/etc/nginx/nginx.conf"
TLS_CERTIFICATE = "/etc/nginx/tls/certificate.pem"
TLS_KEY = "/etc/nginx/tls/key.pem"
"""Mount points; the catalog has the paths on the host."""

OWN_PATHS = "/-/gateway"
LIVE_PATH = f"{OWN_PATHS}/live"
"""Answers if nginx runs. The container's health check uses it, on `HTTP_PORT`; any host name is accepted."""
READY_PATH = f"{OWN_PATHS}/ready"
"""Answers 204 if all services behind the gateway answer, else 503. `READY_PATH/SERVICE` checks one service."""
