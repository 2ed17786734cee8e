"""A bare server on trio-websocket, as in its documentation: ``trio_websocket_server.py PORT``."""

import sys

import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket


async def session(request: WebSocketRequest) -> None:
    connection = await request.accept(subprotocol="v12.stomp")
    try:
        while True:
            await connection.get_message()
    except ConnectionClosed:
        return


if __name__ == "__main__":
    trio.run(serve_websocket, session, "127.0.0.1", int(sys.argv[1]), None)
