"""A REST client of a running server."""

import re
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.kit.devserver import PASSWORD


class Api:
    """One user's calls over one kept-alive connection pool."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=20.0)
        self.tokens: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def access_token(self) -> str:
        return self.tokens["accessToken"]

    def sign_in(self, email: str, password: str = PASSWORD) -> Self:
        answer = self.call("POST", "/auth/login", {"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json()
        return self

    def sign_up(self, data_dir: Path, name: str) -> Self:
        """Sign up as somebody new, with the code out of the mail below the server's data directory, and sign in."""
        email = f"{uuid4()}@example.com"
        answer = self.call("POST", "/auth/signup", {"email": email, "password": PASSWORD, "name": name})
        assert answer.status_code == 201, answer.text
        (mail,) = (data_dir / "mail").glob(f"*{email}*")
        code = re.search(r"\b\d{6}\b", mail.read_text())
        assert code is not None
        assert self.call("POST", "/auth/confirm", {"email": email, "code": code[0]}).status_code == 204
        return self.sign_in(email)

    def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        sent = dict(headers or {})
        if self.tokens:
            sent["Authorization"] = f"Bearer {self.access_token}"
        if body is None:
            return self._http.request(method, path, headers=sent)
        return self._http.request(method, path, headers=sent, json=body)

    def get(self, path: str) -> Any:
        """The JSON of a GET that must succeed."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def demo_group(self) -> str:
        """The id of the demo users' group."""
        return next(each["id"] for each in self.get("/api/conversations") if each["type"] == "GROUP")

    def send(self, conversation_id: str, text: str, **more: object) -> Any:
        answer = self.call("POST", "/api/messages", {"conversationId": conversation_id, "text": text} | more)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()
