"""Runs the steps of a Dockerfile without Docker: its paths are moved below a directory, its commands really run."""

import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).parent.parent.parent


@attrs.frozen
class Step:
    """One instruction: ``RUN``, ``COPY`` …, and what follows it with continuation lines joined."""

    instruction: str
    text: str


@attrs.frozen
class Stage:
    """From one ``FROM`` to the next."""

    base: str
    name: str
    steps: tuple[Step, ...]

    def last(self, instruction: str) -> str:
        """The text of the last such instruction, which is the one that counts."""
        return [step.text for step in self.steps if step.instruction == instruction][-1]


def read_dockerfile(path: Path) -> list[Stage]:
    """The stages of a Dockerfile in order."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text("utf-8"), flags=re.MULTILINE)
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        instruction, _, rest = line.strip().partition(" ")
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name, ()))
        elif instruction:
            stages[-1] = attrs.evolve(stages[-1], steps=(*stages[-1].steps, Step(instruction, rest.strip())))
    return stages


def in_build_context(path: str) -> bool:
    """Whether ``.dockerignore`` leaves ``path``, from the repository's top, in the build's context."""
    kept = True
    for line in (ROOT / ".dockerignore").read_text("utf-8").split():
        pattern = line.removeprefix("!").removeprefix("**/")
        if any(
            fnmatch(part, pattern) for part in (path, path.split("/", maxsplit=1)[0], path.rsplit("/", maxsplit=1)[-1])
        ):
            kept = line.startswith("!")
    return kept


class Builder:
    """Plays the stages one after the other, each on an empty machine but for what it copies from the one before.

    ``moved`` are the top directories that the steps use; they lie below ``directory`` here. A tree keeps its path from
    stage to stage, as a virtual environment must. The machine's own Python stands in for the base image.
    """

    def __init__(self, directory: Path, moved: tuple[str, ...]) -> None:
        self._directory = directory
        self._moved = moved
        programs = directory / "programs"
        programs.mkdir()
        base_python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        (programs / "python").symlink_to(base_python)
        self._path = f"{programs}:{os.environ['PATH']}"
        self.environment: dict[str, str] = {}
        self.users: dict[str, int] = {}

    def real(self, text: str) -> str:
        """``text`` with the container's directories replaced by the real ones."""
        for top in self._moved:
            text = re.sub(rf"(?<![\w/]){re.escape(top)}\b", str(self._directory) + top, text)
        return text

    def play(self, stage: Stage) -> None:
        """Does all that the stage does to files, and remembers its environment. Raises on a step that fails."""
        self.environment = {"PATH": self._path}
        kept = {step.text.split()[-1] for step in stage.steps if step.text.startswith("--from=")}
        for top in self._moved:
            if top not in kept:
                shutil.rmtree(self.real(top), ignore_errors=True)
        place = self._directory
        for step in stage.steps:
            match step.instruction:
                case "WORKDIR":
                    place = Path(self.real(step.text))
                    place.mkdir(parents=True)
                case "COPY":
                    self._copy(step.text.split(), place)
                case "RUN" if step.text.startswith("useradd "):
                    found = re.search(r"--uid (\d+)", step.text)
                    assert found, step.text
                    self.users[step.text.split()[-1]] = int(found.group(1))
                case "RUN":
                    self._run(step.text, place)
                case "ENV":
                    for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', step.text):
                        value = self.real(quoted or plain)
                        self.environment[name] = value.replace("$PATH", self.environment["PATH"])
                case "USER" | "EXPOSE" | "HEALTHCHECK" | "STOPSIGNAL" | "ENTRYPOINT" | "CMD":
                    pass
                case unknown:
                    raise AssertionError(f"no way to play {unknown}")

    def _run(self, command: str, place: Path) -> None:
        # pip's cache only spares the registry; what is installed is the same.
        shown = self.real(command).replace("--no-cache-dir", "")
        env = {**os.environ, **self.environment}
        done = subprocess.run(
            ["/bin/sh", "-ec", shown], cwd=place, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{shown}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"

    def _copy(self, words: list[str], place: Path) -> None:
        if words[0].startswith("--from="):
            assert words[1] == words[2] in self._moved, "a tree that is copied between stages keeps its path"
            assert Path(self.real(words[1])).exists()
            return
        *sources, target = words
        for source in sources:
            assert in_build_context(source), f"{source} is kept out of the build by .dockerignore"
            origin, into = ROOT / source, place / target
            if origin.is_dir():
                shutil.copytree(origin, into, symlinks=True, ignore=_ignored)
            else:
                shutil.copy(origin, into)


def _ignored(_: str, names: list[str]) -> set[str]:
    return {name for name in names if not in_build_context(f"src/{name}")}
