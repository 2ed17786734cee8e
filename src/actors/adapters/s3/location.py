"""Where a bucket is."""

from urllib.parse import urlsplit

from attrs import frozen


@frozen
class S3Location:
    """Where objects are. `endpoint` stands in for AWS's own, with the bucket in the path; times are in seconds."""

    bucket: str
    prefix: str
    region: str | None
    endpoint: str | None
    connect_timeout: float = 2.0
    read_timeout: float = 5.0

    @property
    def origin(self) -> str | None:
        """Of the endpoint; None for AWS's own."""
        if self.endpoint is None:
            return None
        url = urlsplit(self.endpoint)
        return f"{url.scheme}://{url.netloc}"
