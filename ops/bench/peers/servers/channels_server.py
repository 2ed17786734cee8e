"""The chat consumer of Django Channels' tutorial, part 3, on the in-memory layer, without its JSON."""

# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false
# The libraries are in the peers' environment, not in the project's.

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="of no use here",
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 - Django must be set up before
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

ROOM = "chat_room"


class Subscriber(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add(ROOM, self.channel_name)
        await self.accept()

    async def disconnect(self, _code: int) -> None:
        await self.channel_layer.group_discard(ROOM, self.channel_name)

    async def chat_message(self, event: dict[str, str]) -> None:
        await self.send(text_data=event["message"])


class Publisher(AsyncWebsocketConsumer):
    async def receive(self, text_data: str = "") -> None:
        await self.channel_layer.group_send(ROOM, {"type": "chat.message", "message": text_data})


application = ProtocolTypeRouter(
    {"websocket": URLRouter([path("ws", Subscriber.as_asgi()), path("publish", Publisher.as_asgi())])}
)
