"""Hypothesis strategies for frames that a version can express, and for cuts of octets."""

from hypothesis import strategies as st

from chathttp.stomp.frame import BODY_COMMANDS, COMMANDS, Frame, Version

_NOT_IN_HEADERS = "\0\r"


def _texts(version: Version, *, plain: bool, name: bool) -> st.SearchStrategy[str]:
    """Header names or values: every character that the version (or CONNECT, `plain`) can carry."""
    excluded = "\0" if version is Version.V12 and not plain else _NOT_IN_HEADERS
    if version is Version.V10 or plain:
        excluded += "\n"
        if name:
            excluded += ":"
    alphabet = st.one_of(st.sampled_from("\\:\n\r ncr"), st.characters(exclude_categories=["Cs"])).filter(
        lambda character: character not in excluded
    )
    texts = st.text(alphabet, min_size=int(name), max_size=12)
    if version is Version.V10:
        texts = texts.map(lambda text: text.strip(" \t")).filter(lambda text: bool(text) or not name)
    return texts


@st.composite
def frames(draw: st.DrawFn, version: Version) -> Frame:
    """Frames of both directions; with a body they bear their `content-length`, as decoded frames do."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    plain = command in ("CONNECT", "CONNECTED")
    names = _texts(version, plain=plain, name=True).filter(lambda name: name != "content-length")
    headers = draw(st.lists(st.tuples(names, _texts(version, plain=plain, name=False)), max_size=6))
    body = draw(st.binary(max_size=80)) if command in BODY_COMMANDS else b""
    if body:
        headers.append(("content-length", str(len(body))))
    return Frame(command, tuple(headers), body)


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` cut anywhere, empty pieces included."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


versions = st.sampled_from(list(Version))
