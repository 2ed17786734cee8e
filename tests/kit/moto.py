"""S3 as moto speaks it, in a thread of this process. It checks neither signatures nor their expiry."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast
from unittest.mock import patch
from urllib.request import Request, urlopen

import moto.server  # pyright: ignore[reportMissingTypeStubs]  # it has none

_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}


@contextmanager
def s3_bucket(name: str) -> Generator[str]:
    """The endpoint of a server with one bucket; the environment has credentials for it meanwhile."""
    server: Any = cast("Any", moto.server).ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
        body = (
            b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
        )
        with urlopen(Request(f"{endpoint}/{name}", data=body, method="PUT")) as answer:
            assert answer.status == 200
        with patch.dict(os.environ, _CREDENTIALS):
            yield endpoint
    finally:
        server.stop()
