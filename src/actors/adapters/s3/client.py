"""The seam to botocore, which has no type hints: the parts in use and what its errors mean."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import botocore.config  # pyright: ignore[reportMissingTypeStubs]  # it has none; `Any` ends in this module
import botocore.exceptions  # pyright: ignore[reportMissingTypeStubs]  # as above
import botocore.session  # pyright: ignore[reportMissingTypeStubs]  # as above

from actors.adapters.s3.location import S3Location

S3_ERRORS: Final[tuple[type[Exception], ...]] = (
    cast("Any", botocore.exceptions).ClientError,
    cast("Any", botocore.exceptions).BotoCoreError,
)
"""What a call raises: the first when S3 answered with an error, the second when nothing came of it."""


class KeptError(Exception):
    """S3 has not deleted all that it was to."""


class S3Client:
    """What is used of botocore's client, on one bucket. It may be used by many threads at once; each method blocks."""

    def __init__(self, client: Any, location: S3Location) -> None:
        self._client = client
        self._bucket = location.bucket
        self._prefix = location.prefix
        self.origin = location.origin or _virtual_host(client.meta.endpoint_url, location.bucket)
        """Of the URLs that it signs."""

    def sign(self, operation: str, key: str, bound: Mapping[str, str | int], seconds: int) -> str:
        """The URL of an operation on a key, with the parameters that it is bound to."""
        parameters = {"Bucket": self._bucket, "Key": self._prefix + key, **bound}
        return self._client.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds)

    def head(self, key: str) -> tuple[str, int] | None:
        """Type and size of an object; None if there is none. S3 says so only to who may list the bucket."""
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except S3_ERRORS as error:
            if _status(error) == 404:
                return None
            raise
        return found["ContentType"], found["ContentLength"]

    def delete(self, keys: Sequence[str]) -> None:
        """At most 1,000. Raises `KeptError`."""
        wanted = {"Objects": [{"Key": self._prefix + key} for key in keys], "Quiet": True}
        kept = self._client.delete_objects(Bucket=self._bucket, Delete=wanted).get("Errors")
        if kept:
            raise KeptError(f"S3 kept {len(kept)} objects, such as {kept[0]}")


def connect(location: S3Location) -> S3Client:
    """A client with the credentials of the environment, of a profile, or of the role that the process runs under.

    Reads botocore's own files, which takes a second, and asks nobody yet.
    """
    config = cast("Any", botocore.config).Config(
        signature_version="s3v4",
        connect_timeout=location.connect_timeout,
        read_timeout=location.read_timeout,
        retries={"total_max_attempts": 2, "mode": "standard"},
        s3={"addressing_style": "path" if location.endpoint else "virtual"},
        # A checksum that the signer adds would be one that the browser has to make.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = cast("Any", botocore.session).get_session()
    client = session.create_client("s3", region_name=location.region, endpoint_url=location.endpoint, config=config)
    return S3Client(client, location)


def _status(error: Exception) -> int | None:
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode")


def _virtual_host(endpoint: str, bucket: str) -> str:
    """botocore puts the bucket before AWS's host, unless the certificate would not match."""
    scheme, _, host = endpoint.partition("://")
    return endpoint if "." in bucket else f"{scheme}://{bucket}.{host}"
