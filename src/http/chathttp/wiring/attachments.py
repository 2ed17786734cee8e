"""Where a node keeps attachments, and who sees to them."""

import random
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import frozen

from actors.adapters.disk.objects import DiskObjects
from actors.adapters.s3.location import S3Location
from actors.attachments.desk import AttachmentDesk
from actors.caching.members import Members
from chathttp.attachments.transfers import ServedFiles, Transfers
from chathttp.ids import IdSource
from chathttp.policies import attachment_policy
from chathttp.settings import Settings
from chathttp.wiring.stores import Stores


@frozen
class Attachments:
    """`served` is None, and `origin` where the files are, if that is elsewhere."""

    desk: AttachmentDesk
    served: ServedFiles | None
    origin: str

    @classmethod
    def of(cls, settings: Settings, stores: Stores, members: Members, new_id: IdSource, rng: random.Random) -> Self:
        served, origin = None, ""
        if settings.attachments_url.startswith("s3:"):
            # botocore is large; who has no use for it does without.
            from actors.adapters.s3.client import connect
            from actors.adapters.s3.objects import S3Objects

            client = connect(s3_location(settings))
            objects = S3Objects(client, threads=settings.attachment_threads, queue=settings.attachment_queue)
            origin = client.origin
        else:
            objects = DiskObjects(directory_of(settings), threads=settings.attachment_threads)
            transfers = Transfers(settings.transfer_limit, settings.transfer_time, settings.transfer_stall_timeout)
            served = ServedFiles(objects, transfers)
        desk = AttachmentDesk(stores.attachments, objects, members, attachment_policy(settings), new_id=new_id, rng=rng)
        return cls(desk, served, origin)


def s3_location(settings: Settings) -> S3Location:
    """Of `s3://bucket/prefix?region=…&endpoint=…`."""
    url = urlsplit(settings.attachments_url)
    options = {name: values[0] for name, values in parse_qs(url.query).items()}
    prefix = url.path.strip("/")
    return S3Location(
        bucket=url.netloc,
        prefix=f"{prefix}/" if prefix else "",
        region=options.get("region"),
        endpoint=options.get("endpoint"),
    )


def directory_of(settings: Settings) -> Path:
    """`file:/path`, `file:path` or `file:///path`; a part of the data directory unless set."""
    given = settings.attachments_url.removeprefix("file:")
    return Path(unquote(given.removeprefix("//"))) if given else settings.data_dir / "attachments"
