"""Google's compiler of Protobuf, in a process of its own: hostile text costs at most its limits of time and memory."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from meshline.errors import InvalidInput, require_extra
from meshline.words import shorten_text

MAX_FILES = 2_000
MAX_BYTES = 16 * 2**20  # of all files together
SECONDS = 20  # of one compilation
MEMORY = 2 * 2**30  # bytes
LONGEST = 500  # characters of a message
EXTRA = "protobuf"

_COMPILE = f"""
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
    resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
except (ImportError, ValueError, OSError):  # not of every system: then the time is limited from outside
    pass
from pathlib import Path
import grpc_tools
from grpc_tools.protoc import main
here, *names = sys.argv[1:]
there = str(Path(grpc_tools.__file__).parent / "_proto")
options = ["--include_imports", "--include_source_info", f"--descriptor_set_out={{here}}/set"]
sys.exit(main(["protoc", f"-I{{here}}/files", f"-I{{there}}", *options, *names]))
"""
_WORDS = re.compile(r"(?P<file>[^:\n]+):(?P<line>\d+):\d+: (?P<text>[^\n]+)|(?P<whole>[^:\n]+): (?P<message>[^\n]+)")
_MISSING = "File not found."


def compile_files(files: Mapping[str, str], imports: Mapping[str, str], places: Mapping[str, str] | None = None) -> bytes:
    """A `FileDescriptorSet` of `files` and all that they import, from `imports` or the files of Google that come with the compiler.

    Both are texts by the path under which others import them. `places`: what a message calls a file, where that is another name.
    Raises InvalidInput with `file:line`; MissingExtra.
    """
    with require_extra(EXTRA, "reading a Protobuf schema"):
        import grpc_tools  # noqa: F401, PLC0415
    every = {**imports, **files}
    _check_files(every)
    with TemporaryDirectory(prefix="meshline-") as folder:
        for name, text in every.items():
            _write_file(Path(folder, "files", name), name, text)
        command = [sys.executable, "-P", "-c", _COMPILE, folder, *files]
        try:
            done = subprocess.run(command, capture_output=True, timeout=3 * SECONDS, check=False)  # noqa: S603 - no shell
        except subprocess.TimeoutExpired as error:
            raise InvalidInput(f"compiling it takes more than {SECONDS} seconds", _name_first(files, places)) from error
        except OSError as error:
            raise InvalidInput(f"it cannot be compiled: {error}", _name_first(files, places)) from error
        if done.returncode:
            raise _build_error(done.stderr.decode("utf-8", "replace").replace(f"{folder}/files/", ""), files, places or {})
        return Path(folder, "set").read_bytes()


def _check_files(files: Mapping[str, str]) -> None:
    if not files:
        raise InvalidInput("there are no files of Protobuf")
    if len(files) > MAX_FILES:
        raise InvalidInput(f"{len(files)} files are too many; the maximum is {MAX_FILES}")
    size = sum(len(text) for text in files.values())
    if size > MAX_BYTES:
        raise InvalidInput(f"{size} characters are too many; all files together may have {MAX_BYTES}")
    for name in files:
        if not is_import_path(name):
            raise InvalidInput(f"found {shorten_text(repr(name), LONGEST)}; a file is named by the path under which others import it")


def is_import_path(name: str) -> bool:
    """Whether a file can be imported under this name: a relative path, without `..`, that ends with `.proto`."""
    path = PurePosixPath(name)
    parts = path.parts
    plain = str(path) == name and not path.is_absolute() and ".." not in parts and all(len(one.encode()) <= 200 for one in parts)
    return plain and name.endswith(".proto") and len(name) <= 1_000 and not re.search(r'[\x00-\x1f\\:*?"<>|]', name) and name[0] not in "-@"


def _write_file(path: Path, name: str, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except (OSError, UnicodeEncodeError) as error:
        raise InvalidInput(f"it cannot be compiled: {type(error).__name__}", name) from error


def _name_first(files: Iterable[str], places: Mapping[str, str] | None) -> str:
    first = next(iter(files))
    return (places or {}).get(first, first)


def _build_error(text: str, files: Mapping[str, str], places: Mapping[str, str]) -> InvalidInput:
    """The first error of the compiler, at its place; a missing import before all others."""
    found = [match for match in _WORDS.finditer(text) if "warning:" not in match[0]]
    missing = next((one["whole"] for one in found if one["message"] == _MISSING), None)
    if missing is not None:
        return InvalidInput(
            f"it imports {shorten_text(missing, LONGEST)!r}, which is not given: check the folder that contains both",
            _name_first(files, places),
        )
    for one in found:
        if one["line"]:
            return InvalidInput(shorten_text(one["text"], LONGEST), f"{places.get(one['file'], one['file'])}:{one['line']}")
    for one in found:
        if one["whole"] in files:
            return InvalidInput(shorten_text(one["message"], LONGEST), places.get(one["whole"], one["whole"]))
    return InvalidInput("it is no schema of Protobuf, or compiling it takes too long or too much memory", _name_first(files, places))
