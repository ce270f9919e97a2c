"""The baseline of streams, a process of its own: an event that is posted goes to everybody who listens, and nowhere else.

`python -m scripts.benchmarks.bare_stream` prints one line of JSON with its address when it is ready.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import web


class Bare:
    """Everybody who listens, each with a queue."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes]] = set()

    async def tell(self, request: web.Request) -> web.Response:
        body = await request.read()
        sent = b"id: " + request.headers["X-Number"].encode() + b"\ndata: " + body + b"\n\n"
        for queue in self._queues:
            queue.put_nowait(sent)
        return web.Response()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": here\n\n")
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._queues.add(queue)
        try:
            while True:
                await response.write(await queue.get())
        except ConnectionError:
            return response
        finally:
            self._queues.discard(queue)


async def main() -> None:
    bare, app = Bare(), web.Application()
    app.add_routes([web.post("/tell", bare.tell), web.get("/events/stream", bare.stream)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(json.dumps({"bare": f"http://{host}:{port}"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
