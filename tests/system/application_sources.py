"""The sources of the application in application.py, as a user writes them: a catalog and two small ASGI programs.

`web` calls `api`, which stores rows in PostgreSQL, numbers in Redis and drafts in a SQLite file. Each request writes
to all of them, except /health, which only queries them. There are several versions of `web`; the broken one fails its
health check.
"""

from __future__ import annotations

HOST = "shop.example.com"
TEST, LIVE = "test", "live"
"""Environments: one with single containers and defaults; one with replicas, approval and a backup
before each deploy."""
BROKEN = "broken"
"""The version of `web` that is not healthy."""

CATALOG = f"""
project: shop
defaults:
  probe: {{interval: 4s, timeout: 4s}}
  healthcheck: {{interval: 3s, timeout: 20s, retries: 5, start_period: 60s}}
  metrics_interval: 2s
  alerts: {{ServiceDown: {{for: 1m}}}}
services:
  web:
    build: {{context: ./web, runtime: python}}
    port: 8000
    health: /health
    public: true
    depends_on: api
  api:
    build: {{context: ./api, runtime: python}}
    port: 8000
    health: /health
    depends_on: [db, cache]
    secrets: [db_password, cache_password]
    environment: {{PYTHONPATH: /site}}
    volumes: notes:/app/data
stores:
  db:
    engine: postgresql
    version: "17"
    password: {{secret: db_password}}
    databases: [shop, archive]
    volume: rows
    backup: {{keep: 3}}
  cache: {{engine: redis, version: "7.4", password: {{secret: cache_password}}, volume: numbers, backup: {{keep: 3}}}}
  drafts: {{engine: sqlite, service: api, path: /app/data/drafts.db, backup: {{keep: 3}}}}
volumes: {{notes: {{backup: {{keep: 3}}}}}}
secrets: {{db_password: {{generate: 32}}, cache_password: {{generate: 32}}}}
gateway: {{host: {HOST}, routes: {{/: web}}, max_body: 1Mi}}
backup: {{directory: ./backups}}
environments:
  {TEST}: {{}}
  {LIVE}:
    protected: true
    verify: {{deadline: 90s}}
    defaults: {{healthcheck: {{interval: 2s, timeout: 5s, retries: 5, start_period: 20s}}}}
    services: {{web: {{replicas: 2}}}}
"""
_SERVER = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        try:
            status, text = 200, answer(scope["path"])
        except Exception as error:
            status, text = 503, f"{type(error).__name__}: {error}"
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})
"""
_API = """
import json, os, sqlite3
from contextlib import closing
from pathlib import Path

import psycopg, redis

def secret(name):
    return Path(os.environ[name + "_FILE"]).read_text()

def answer(path):
    password, write = secret("DB_PASSWORD"), path != "/health"
    with psycopg.connect(host="db", dbname="shop", user="postgres", password=password) as rows:
        rows.execute("CREATE TABLE IF NOT EXISTS visits (path text)")
        if write:
            rows.execute("INSERT INTO visits VALUES (%s)", (path,))
        visits = rows.execute("SELECT count(*) FROM visits").fetchone()[0]
    with closing(redis.Redis("cache", password=secret("CACHE_PASSWORD"))) as numbers:
        hits = numbers.incr("hits", int(write))
    with closing(sqlite3.connect("/app/data/drafts.db")) as drafts, drafts:
        drafts.execute("CREATE TABLE IF NOT EXISTS drafts (path TEXT)")
        if write:
            drafts.execute("INSERT INTO drafts VALUES (?)", (path,))
        written = drafts.execute("SELECT count(*) FROM drafts").fetchone()[0]
    return json.dumps({"postgresql": visits, "redis": hits, "sqlite": written})
"""
_WEB = """
import sys
from urllib.request import urlopen

VERSION = "{version}"
print("web of version", VERSION, "begins", file=sys.stderr, flush=True)

def answer(path):
    if path == "/health" and VERSION == "broken":
        raise RuntimeError("it cannot serve")
    if path in ("/health", "/version"):
        return VERSION
    return urlopen("http://api:8000" + path, timeout=5).read().decode()
"""


def api() -> str:
    """Return its main.py."""
    return _API + _SERVER


def web(version: str) -> str:
    """Return its main.py."""
    return _WEB.format(version=version) + _SERVER
