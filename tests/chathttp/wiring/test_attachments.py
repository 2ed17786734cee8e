"""Where a node keeps files, and what the files that go through it are held to."""

import random
from pathlib import Path
from uuid import uuid4

import pytest

from actors.bridge.alone import Alone
from chatcore.errors import ChatError, ErrorCode
from chathttp.attachments.transfers import Transfers
from chathttp.ids import IdSource
from chathttp.settings import Settings
from chathttp.wiring.attachments import Attachments, directory_of, s3_location
from chathttp.wiring.caches import Caches
from chathttp.wiring.stores import Stores


def wired(settings: Settings) -> Attachments:
    rng = random.Random(1)
    stores = Stores.of(settings, rng)
    members = Caches(settings, stores, Alone(), None).members
    return Attachments.of(settings, stores, members, IdSource(), rng)


def test_what_is_set_reaches_the_transfers(tmp_path: Path) -> None:
    settings = Settings(
        database_url="postgresql://nowhere/x",
        attachments_url=f"file:{tmp_path / str(uuid4())}",
        transfer_limit=1,
        transfer_time=2.0,
        transfer_stall_timeout=3.0,
    )
    attachments = wired(settings)
    assert attachments.served is not None
    transfers: Transfers = attachments.served.transfers
    assert (transfers.time, transfers.stall_timeout) == (2.0, 3.0)
    with transfers.taking(), pytest.raises(ChatError) as refused, transfers.taking():
        pass
    assert (refused.value.code, transfers.refused, transfers.active) == (ErrorCode.OVERLOADED, 1, 0)


def test_a_bucket_is_named_by_its_url() -> None:
    location = s3_location(
        Settings(attachments_url="s3://files/chat/a?region=eu-west-1&endpoint=http://127.0.0.1:9000")
    )
    assert (location.bucket, location.prefix, location.region) == ("files", "chat/a/", "eu-west-1")
    assert location.origin == "http://127.0.0.1:9000"


@pytest.mark.parametrize("url", ["file:/mnt/files", "file:///mnt/files"])
def test_a_directory_is_named_by_its_url(url: str) -> None:
    assert directory_of(Settings(attachments_url=url)) == Path("/mnt/files")
    assert directory_of(Settings(data_dir=Path("/data"))) == Path("/data/attachments")
