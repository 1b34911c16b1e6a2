"""Reads an exported image or cache: layers with their files and deletions, configuration, history, attestations.

Forms: an OCI layout folder (index.json, blobs/) and a tar of `docker save`. Format: the OCI image specification;
deletions in a layer are `.wh.NAME` and `.wh..wh..opq` entries.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import posixpath
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
CHUNK = 32 * 1024 * 1024
OVERLAP = 4096


class UnreadableLayer(Exception):
    """A layer in a compression that Python cannot read, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer; `instruction` is the text of the history entry that made it, with variables as the engine wrote them."""

    digest: str
    open: Callable[[], IO[bytes]] = field(repr=False)
    instruction: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Image:
    """An image: layers from the base up, its configuration (history included), its attestations as they are stored."""

    layers: tuple[Layer, ...]
    configuration: bytes = field(repr=False)
    metadata: tuple[bytes, ...] = field(default=(), repr=False)
    """Manifests and indexes: their annotations belong to the image too."""
    attestations: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class LayerFile:
    """An entry of a layer. `data` pieces overlap by OVERLAP bytes when the file is bigger than CHUNK."""

    path: str = field(repr=False)
    data: tuple[bytes, ...] = field(repr=False)
    linked_path: str | None = field(default=None, repr=False)
    """For a hard link: the path whose content it shares."""
    is_folder: bool = False
    deletes: str | None = None
    """For a deletion: the deleted path; for an opaque folder: the folder whose older content is gone, ended by `/`."""


def read_image(source: Path) -> Image:
    """Reads an OCI layout folder or a docker tar; raises OSError or ValueError when it is neither."""
    return _read_layout(source) if source.is_dir() else _read_docker_tar(source)


def cache_layers(source: Path) -> tuple[Layer, ...]:
    """The layer blobs of a cache exported to an OCI layout folder."""
    layers: dict[str, Layer] = {}
    if not (source / "index.json").exists():
        # BuildKit writes no index when no step of the build has a result worth a cache record.
        return ()
    for manifest in _manifests(source, _json(source / "index.json")):
        for entry in manifest[1].get("layers", ()):
            layers[entry["digest"]] = Layer(entry["digest"], _opener(_blob(source, entry["digest"])))
    return tuple(layers.values())


def layer_files(layer: Layer) -> Iterator[LayerFile]:
    """Every entry of the layer, in its order; names are without a leading slash."""
    try:
        with layer.open() as raw, tarfile.open(fileobj=_decompressed(raw), mode="r|") as archive:
            for member in archive:
                yield _layer_file(archive, member)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise UnreadableLayer(f"layer {layer.digest[:19]}: {type(error).__name__}") from error


def _layer_file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> LayerFile:
    path = posixpath.normpath(member.name).lstrip("/")
    folder, name = posixpath.split(path)
    if name == OPAQUE:
        return LayerFile(path, (), deletes=f"{folder}/")
    if name.startswith(WHITEOUT):
        return LayerFile(path, (), deletes=posixpath.join(folder, name.removeprefix(WHITEOUT)))
    extra = "\0".join([member.linkname, *(f"{key}={value}" for key, value in member.pax_headers.items())])
    described = extra.encode("utf-8", "surrogateescape")
    if member.islnk():
        return LayerFile(path, (), linked_path=posixpath.normpath(member.linkname).lstrip("/"))
    content = archive.extractfile(member) if member.isreg() else None
    pieces = (described,) if content is None else (described, *_pieces(content))
    return LayerFile(path, pieces, is_folder=member.isdir())


def _pieces(content: IO[bytes]) -> Iterator[bytes]:
    tail = b""
    while block := content.read(CHUNK):
        yield tail + block
        tail = block[-OVERLAP:]


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    start = raw.read(6)
    raw.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if start.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(raw))
    if start.startswith(b"\xfd7zXZ\0"):
        return cast("IO[bytes]", lzma.LZMAFile(raw))
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        raise UnreadableLayer("a layer is compressed with zstd, which Python cannot read")
    return raw


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _json(path: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(path.read_bytes()))


def _blob(source: Path, digest: str) -> Path:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or not value.isalnum():
        raise ValueError("a digest that is not sha256")
    return source / "blobs" / algorithm / value


def _manifests(source: Path, index: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any], bytes]]:
    """(descriptor, manifest, its bytes) of every manifest below an index; nested indexes are followed."""
    for descriptor in index.get("manifests", ()):
        data = _blob(source, descriptor["digest"]).read_bytes()
        content = json.loads(data)
        if "manifests" in content:
            yield descriptor, {}, data
            yield from _manifests(source, content)
        else:
            yield descriptor, content, data


def _read_layout(source: Path) -> Image:
    index = (source / "index.json").read_bytes()
    metadata = [index]
    attestations: list[bytes] = []
    image: tuple[tuple[Layer, ...], bytes] | None = None
    for descriptor, manifest, data in _manifests(source, json.loads(index)):
        if descriptor.get("annotations", {}).get("vnd.docker.reference.type") == "attestation-manifest":
            attestations += [_blob(source, entry["digest"]).read_bytes() for entry in manifest.get("layers", ())]
            continue
        metadata.append(data)
        if "config" in manifest and image is None:
            configuration = _blob(source, manifest["config"]["digest"]).read_bytes()
            openers = [(entry["digest"], _opener(_blob(source, entry["digest"]))) for entry in manifest["layers"]]
            image = _layers(openers, configuration), configuration
    if image is None:
        raise ValueError("the layout holds no image")
    return Image(*image, tuple(metadata), tuple(attestations))


def _read_docker_tar(source: Path) -> Image:
    with tarfile.open(source) as archive:
        [entry] = json.loads(_member(archive, "manifest.json"))
        configuration = _member(archive, entry["Config"])
    identifiers = json.loads(configuration).get("rootfs", {}).get("diff_ids", entry["Layers"])
    openers = [
        (str(identifier), _member_opener(source, name))
        for identifier, name in zip(identifiers, entry["Layers"], strict=True)
    ]
    return Image(_layers(openers, configuration), configuration)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    content = archive.extractfile(name)
    if content is None:
        raise ValueError(f"{name} is not a file in the image's tar")
    return content.read()


def _member_opener(source: Path, name: str) -> Callable[[], IO[bytes]]:
    def read() -> IO[bytes]:
        with tarfile.open(source) as archive:
            return io.BytesIO(_member(archive, name))

    return read


def _layers(openers: list[tuple[str, Callable[[], IO[bytes]]]], configuration: bytes) -> tuple[Layer, ...]:
    history = [entry for entry in json.loads(configuration).get("history") or () if not entry.get("empty_layer")]
    # A base image without history leaves fewer entries than layers; they belong to the last layers.
    instructions = [None] * max(0, len(openers) - len(history)) + [entry.get("created_by") for entry in history]
    return tuple(
        Layer(digest, opener, instruction) for (digest, opener), instruction in zip(openers, instructions, strict=False)
    )
