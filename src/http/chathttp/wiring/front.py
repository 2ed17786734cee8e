"""What faces the clients of a node: REST and WebSocket sessions, to be served by one edge."""

import time
from typing import Self
from uuid import UUID

import trio
from attrs import frozen
from quart_trio import QuartTrio

from chathttp.edge.timer_wheel import Timers
from chathttp.identity.config import IdentityConfig
from chathttp.identity.keys import SigningKeys
from chathttp.identity.mail import Mailer
from chathttp.identity.passwords import Passwords
from chathttp.identity.service import IdentityService
from chathttp.identity.verifier import TokenVerifier
from chathttp.ids import IdSource
from chathttp.policies import session_policy
from chathttp.rate import RateLimiter
from chathttp.rest.app import create_app
from chathttp.rest.services import Health, Services
from chathttp.session.inspection import RunningSession
from chathttp.session.services import SessionServices
from chathttp.settings import Settings
from chathttp.sockjs.desk import SockjsDesk
from chathttp.sockjs.routes import sockjs_blueprint
from chathttp.wire import JsonBodyEncoder
from chathttp.wiring.attachments import Attachments
from chathttp.wiring.house import House, utc_now
from chathttp.wiring.stores import Stores


@frozen
class Front:
    app: QuartTrio
    sessions: SessionServices

    @classmethod
    def of(
        cls,
        settings: Settings,
        stores: Stores,
        house: House,
        attachments: Attachments,
        keys: SigningKeys,
        mailer: Mailer,
        *,
        sockjs: SockjsDesk,
        timers: Timers,
        running: set[RunningSession],
        health: Health,
        new_id: IdSource,
    ) -> Self:
        """`running` holds the sessions that are being served, for who looks at them."""
        verifier = TokenVerifier(
            keys,
            issuer=settings.jwt_issuer,
            client_id=settings.jwt_audience,
            cache_size=settings.token_cache_size,
            erased=house.privacy.erased,
        )
        limiter = RateLimiter[UUID](settings.send_rate, settings.send_burst)
        services = Services(
            settings=settings,
            verifier=verifier,
            identity=_identity(settings, stores, keys, mailer),
            history=stores.history,
            pages=stores.pages,
            store=stores.conversations,
            relations=house.caches.relations,
            users=house.caches.users,
            standings=stores.standings,
            members=house.caches.members,
            search=stores.search,
            features=house.features,
            devices=stores.devices,
            attachments=attachments.desk,
            served_files=attachments.served,
            storage_origin=attachments.origin,
            conversations=house.conversations,
            tell_users=house.users.tell_everywhere,
            presence=house.presence,
            send_limiter=limiter,
            exports=house.privacy.exports,
            erasures=house.privacy.erasures,
            health=health,
            now=time.time,
            new_id=new_id,
        )
        sessions = SessionServices(
            conversations=house.conversations,
            users=house.users,
            presence=house.presence,
            history=stores.history,
            attachments=attachments.desk,
            encoder=JsonBodyEncoder(),
            verifier=verifier,
            send_limiter=limiter,
            timers=timers,
            replay_readers=trio.CapacityLimiter(settings.replay_readers),
            now=time.time,
            new_id=new_id,
            policy=session_policy(settings),
            running=running,
        )
        app = create_app(services)
        app.register_blueprint(sockjs_blueprint(sockjs, settings))
        return cls(app, sessions)


def _identity(settings: Settings, stores: Stores, keys: SigningKeys, mailer: Mailer) -> IdentityService:
    config = IdentityConfig.from_settings(settings)
    return IdentityService(
        stores.identity,
        stores.identity,
        keys,
        Passwords(threads=config.hash_threads, queue=config.hash_queue),
        mailer,
        config,
        utc_now,
    )
