"""The REST application."""

from quart import request
from quart_trio import QuartTrio

from chatcore.errors import unavailable
from chathttp.attachments.files import stored_files_blueprint
from chathttp.attachments.streamed import StreamingConnection
from chathttp.rest.attachments import attachments_blueprint
from chathttp.rest.auth import auth_blueprint
from chathttp.rest.common import install
from chathttp.rest.conversations import conversations_blueprint
from chathttp.rest.devices import devices_blueprint
from chathttp.rest.features import feature_administration_blueprint, features_blueprint
from chathttp.rest.files import files_blueprint, served_files
from chathttp.rest.groups import groups_blueprint
from chathttp.rest.health import health_blueprint
from chathttp.rest.messages import messages_blueprint
from chathttp.rest.presence import presence_blueprint
from chathttp.rest.privacy import privacy_blueprint
from chathttp.rest.reactions import reactions_blueprint
from chathttp.rest.relations import blocks_blueprint, mutes_blueprint, reports_blueprint
from chathttp.rest.search import search_blueprint
from chathttp.rest.services import Health, Services
from chathttp.rest.users import users_blueprint
from chathttp.settings import Settings

"""Seconds for a request's body."""


def create_starting_app(settings: Settings, health: Health) -> QuartTrio:
    """Of a node that cannot serve yet: its health, and UNAVAILABLE for all else."""
    app = QuartTrio(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    install(app, settings)
    app.register_blueprint(health_blueprint(health))

    async def refuse() -> None:
        if not request.path.startswith("/actuator/health"):
            raise unavailable("This server starts", retry_after=5.0)

    app.before_request(refuse)
    return app


def create_app(services: Services) -> QuartTrio:
    """An ASGI application; it needs no lifespan of its own beyond Quart's."""
    app = QuartTrio(__name__, static_folder=None)
    app.asgi_http_class = StreamingConnection
    app.config["MAX_CONTENT_LENGTH"] = services.settings.max_body_bytes
    app.config["BODY_TIMEOUT"] = services.settings.body_timeout
    app.config["RESPONSE_TIMEOUT"] = None  # the edge has a deadline of its own for every write
    app.url_map.merge_slashes = False
    install(app, services.settings)
    app.register_blueprint(auth_blueprint(services))
    app.register_blueprint(users_blueprint(services))
    app.register_blueprint(privacy_blueprint(services))
    app.register_blueprint(conversations_blueprint(services))
    app.register_blueprint(groups_blueprint(services))
    app.register_blueprint(messages_blueprint(services))
    app.register_blueprint(reactions_blueprint(services))
    app.register_blueprint(blocks_blueprint(services))
    app.register_blueprint(mutes_blueprint(services))
    app.register_blueprint(reports_blueprint(services))
    app.register_blueprint(search_blueprint(services))
    app.register_blueprint(presence_blueprint(services))
    app.register_blueprint(devices_blueprint(services))
    app.register_blueprint(features_blueprint(services))
    app.register_blueprint(feature_administration_blueprint(services))
    app.register_blueprint(attachments_blueprint(services))
    if services.served_files is not None:
        app.register_blueprint(stored_files_blueprint(services.served_files))
    app.register_blueprint(health_blueprint(services.health))
    app.register_blueprint(files_blueprint(served_files(), services.storage_origin))
    return app
