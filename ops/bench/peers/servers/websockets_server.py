"""The `websockets` library's `broadcast()`, as in its documentation on broadcasting messages."""

# pyright: basic, reportMissingImports=false
# The library is in the peers' environment, not in the project's.

import asyncio
import sys

from websockets.asyncio.server import broadcast, serve

CLIENTS = set()


async def handler(websocket) -> None:
    if websocket.request.path == "/publish":
        async for message in websocket:
            broadcast(CLIENTS, message)
        return
    CLIENTS.add(websocket)
    try:
        await websocket.wait_closed()
    finally:
        CLIENTS.remove(websocket)


async def main(port: int) -> None:
    async with serve(handler, "127.0.0.1", port, compression=None) as server:
        await server.serve_forever()


asyncio.run(main(int(sys.argv[1])))
