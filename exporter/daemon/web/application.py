"""The daemon's web application: metrics, health, reload, targets for Prometheus, the services as JSON and as a page."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from isal import isal_zlib
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter.daemon.discovery import target_groups
from exporter.daemon.loading import LoadError
from exporter.daemon.state import snapshot
from exporter.daemon.web.merged import Merged
from exporter.metrics.exposition import CONTENT_TYPES, accepts_gzip, blocks, negotiate
from exporter.metrics.own import END
from exporter.probes.measure import clock

if TYPE_CHECKING:
    from starlette.requests import Request

    from exporter.daemon.daemon import Daemon
    from exporter.daemon.snapshot import Snapshot
    from exporter.metrics.exposition import Format

GZIP_LEVEL = 1
GZIP_WBITS = 31
TURN_BYTES = 1024 * 1024
"""After this much text the running probes get a turn: joining and compressing it takes about 3 ms."""


def application(daemon: Daemon) -> Starlette:
    """Return the web application of a daemon.

    Slow work is done once for all concurrent requests, so that many of them cost as much as one.
    """

    scrapes = {
        (form, zipped): Merged(partial(_scrape, daemon, form, zipped=zipped))
        for form in CONTENT_TYPES
        for zipped in (False, True)
    }
    states = Merged(partial(_services, daemon))
    pages = Merged(partial(_page, daemon))
    targets = Merged(lambda: target_groups(daemon.plan))

    async def metrics(request: Request) -> Response:
        form = negotiate(request.headers.get("accept", ""))
        zipped = accepts_gzip(request.headers.get("accept-encoding", ""))
        headers = {"content-type": CONTENT_TYPES[form], "vary": "Accept, Accept-Encoding"}
        if zipped:
            headers["content-encoding"] = "gzip"
        return Response(await scrapes[form, zipped](), headers=headers)

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def ready(_: Request) -> Response:
        if daemon.ready:
            return PlainTextResponse("ready\n")
        return PlainTextResponse(f"waiting for the first probe of {daemon.waiting_for()} target(s)\n", 503)

    async def reload(_: Request) -> Response:
        if not daemon.plan.web.reload:
            return PlainTextResponse("exporter.reload is off in the catalog; to reload, send SIGHUP\n", 403)
        try:
            await daemon.reload()
        except LoadError as error:
            return PlainTextResponse(f"reload failed; the previous catalog stays active:\n{error}\n", 400)
        return PlainTextResponse("reloaded\n")

    async def services(_: Request) -> Response:
        return Response(await states(), media_type="application/json")

    async def discovery(_: Request) -> Response:
        return JSONResponse(await targets())

    async def page(_: Request) -> Response:
        html, policy = await pages()
        return Response(html, headers={"content-security-policy": policy}, media_type="text/html")

    return Starlette(
        routes=[
            Route("/", page),
            Route("/metrics", metrics),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
            Route("/-/reload", reload, methods=["POST"]),
            Route("/api/v1/services", services),
            Route("/sd", discovery),
        ]
    )


async def _scrape(daemon: Daemon, form: Format, *, zipped: bool) -> bytes:
    started = clock()
    compressor = isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, GZIP_WBITS) if zipped else None
    parts: list[bytes] = []
    size = 0
    await daemon.refresh()
    for block in blocks(daemon.series(), form, daemon.tables()):
        parts.append(compressor.compress(block) if compressor else block)
        size += len(block)
        if size > TURN_BYTES:
            size = 0
            await asyncio.sleep(0)
    last = daemon.own.render(form) + (END if form == "openmetrics" else b"")
    parts += [compressor.compress(last), compressor.flush()] if compressor else [last]
    body = b"".join(parts)
    daemon.own.scrape_duration_seconds.observe(clock() - started)
    return body


async def _state(daemon: Daemon) -> Snapshot:
    await daemon.refresh()
    return snapshot(daemon.plan, daemon.watches.values(), daemon.surroundings())


async def _services(daemon: Daemon) -> bytes:
    return bytes(JSONResponse(await _state(daemon)).body)


async def _page(daemon: Daemon) -> tuple[bytes, str]:
    # In a thread: rendering hundreds of services takes 35 ms, which would delay probes.
    return await asyncio.to_thread(_render_page, await _state(daemon))


def _render_page(services: Snapshot) -> tuple[bytes, str]:
    # Imported here: the page's templates use memory, which is saved if nobody opens the page.
    from exporter.daemon.page import CONTENT_SECURITY_POLICY, render_page

    return render_page(services).encode(), CONTENT_SECURITY_POLICY
