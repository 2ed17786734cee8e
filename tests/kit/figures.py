"""One moment of a node, every number of it different."""

from collections import Counter

from actors.attachments.desk import AttachmentFigures
from actors.bridge.actor import BridgeFigures
from actors.bridge.broker import BrokerState, BrokerStatus
from actors.caching.cache import CacheFigures
from actors.mail import MailFigures
from actors.push.finder import FinderFigures
from actors.push.ports import Waiting
from actors.push.relay import RelayFigures
from actors.rounds import RoundFigures
from actors.runtime.snapshot import DynamicSnapshot
from chathttp.management.metrics import NodeFigures
from chathttp.management.outbox_metrics import OutboxFigures
from chathttp.management.privacy_metrics import PrivacyFigures
from chathttp.management.read_metrics import ReplicaFigures
from chathttp.management.storage_metrics import PurgeFigures, TransferFigures

CONVERSATIONS = DynamicSnapshot(
    name="conversations",
    live=2,
    max_children=10,
    started=5,
    passivated=3,
    crashes=4,
    quarantines=1,
    refused=6,
    handled=70,
    time_in_handler=1.5,
    actors=(),
)
BRIDGE = BridgeFigures(
    broker=BrokerState(
        BrokerStatus.UP,
        0.0,
        reconnects=21,
        outbox=22,
        outbox_bytes=23,
        inbox=24,
        published=25,
        lost=26,
        received=27,
        round_trip=0.5,
    ),
    peers=31,
    overdue=32,
    coalesced=33,
    dropped_out=Counter(typing=34),
    dropped_in=Counter(marks=35),
    unknown=36,
    malformed=37,
    sweeps=38,
    sweep_failures=39,
    found=40,
)
FIGURES = NodeFigures(
    connections=9,
    websockets=7,
    sessions={"eventsource": 63},
    connects_refused=13,
    conversations=CONVERSATIONS,
    append_waiting=8,
    append_overloads=11,
    notifications_dropped=12,
    users_online=14,
    users_watched=15,
    presence_delayed=16,
    database_up=True,
    bridge=BRIDGE,
    caches=[CacheFigures("users", hits=51, misses=52, joined=53, evicted=54, invalidated=55, weight=56)],
    replica=ReplicaFigures(up=True, lag=0.25, on_replica=61, on_primary={"lag": 62}),
    attachments=AttachmentFigures(promised=71, stored=72, expired=73, deleted=74, sweeps=75, sweeps_failed=76),
    transfers=TransferFigures(active=77, refused=78),
    purge=PurgeFigures(pending=True, purged=79, failures=80),
    privacy=PrivacyFigures(
        retention_deleted=101,
        retention_passes=102,
        retention_failures=103,
        oldest_age=104.0,
        since_pass=105.0,
        erasures_accepted=106,
        erasures_finished=107,
        erasures_delayed=108,
        erasures_waiting=109,
        tombstones=110,
        erased=111,
        exports_running=112,
        exports_begun=113,
        exports_broken_off=114,
    ),
    outboxes=OutboxFigures(
        finder=FinderFigures(queued=121, waiting=Waiting(122, 123.0), rounds=RoundFigures(failed=124)),
        relay=RelayFigures(sent=125, failed=126, gone=127, dropped=128, void=129, rounds=RoundFigures(failed=1)),
        mails=MailFigures(sent=131, failed=132, expired=133, waiting=134, rounds=RoundFigures(failed=135)),
    ),
)
