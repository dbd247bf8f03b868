"""What the daemon serves: metrics, health, reload, targets for Prometheus, the services as JSON and as a page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from isal import isal_zlib
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter.daemon.discovery import target_groups
from exporter.daemon.loading import LoadError
from exporter.daemon.state import snapshot
from exporter.metrics.exposition import CONTENT_TYPES, accepts_gzip, blocks, negotiate
from exporter.metrics.own import END
from exporter.probes.measure import clock

if TYPE_CHECKING:
    from starlette.requests import Request

    from exporter.daemon.daemon import Daemon

GZIP_LEVEL = 1
GZIP_WBITS = 31
TURN_BYTES = 1024 * 1024
"""After this much text the probes under way get a turn: joining and compressing it takes about 3 ms."""


def application(daemon: Daemon) -> Starlette:
    """The web application of a daemon."""

    async def metrics(request: Request) -> Response:
        started = clock()
        form = negotiate(request.headers.get("accept", ""))
        zipped = accepts_gzip(request.headers.get("accept-encoding", ""))
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
        headers = {"content-type": CONTENT_TYPES[form], "vary": "Accept, Accept-Encoding"}
        if zipped:
            headers["content-encoding"] = "gzip"
        body = b"".join(parts)
        daemon.own.scrape_duration_seconds.observe(clock() - started)
        return Response(body, headers=headers)

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def ready(_: Request) -> Response:
        if daemon.ready:
            return PlainTextResponse("ready\n")
        return PlainTextResponse(f"waiting for the first probe of {daemon.waiting_for()} target(s)\n", 503)

    async def reload(_: Request) -> Response:
        try:
            await daemon.reload()
        except LoadError as error:
            return PlainTextResponse(f"reload failed; the catalog loaded before runs on:\n{error}\n", 400)
        return PlainTextResponse("reloaded\n")

    async def state() -> dict[str, Any]:
        await daemon.refresh()
        return snapshot(daemon.plan, daemon.watches.values(), daemon.surroundings())

    async def services(_: Request) -> Response:
        return JSONResponse(await state(), headers={"cache-control": "no-store"})

    async def discovery(_: Request) -> Response:
        return JSONResponse(await target_groups(daemon.plan), headers={"cache-control": "no-store"})

    async def page(_: Request) -> Response:
        # In a thread: hundreds of services take 35 ms, which probes must not wait for.
        html, policy = await asyncio.to_thread(_render_page, await state())
        headers = {
            "cache-control": "no-store",
            "content-security-policy": policy,
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }
        return HTMLResponse(html, headers=headers)

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


def _render_page(services: dict[str, Any]) -> tuple[str, str]:
    # Imported here: the page's templates cost memory that a daemon whose page nobody opens can save.
    from exporter.daemon.page import CONTENT_SECURITY_POLICY, render_page

    return render_page(services), CONTENT_SECURITY_POLICY
