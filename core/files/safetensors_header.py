"""The header of a safetensors file: its metadata, which are texts."""

from __future__ import annotations

import json
import struct

from ..errors import SpectrabridgeError, SpectrumError
from .typed_json import mapping_of
from .understood import understood

MAX_HEADER_BYTES = 100_000_000
"""Bytes of a header, the limit of the safetensors library."""


def read_metadata(
    content: bytes, name: str, error: type[SpectrabridgeError] = SpectrumError
) -> dict[str, str]:
    """Return the metadata in the header of a safetensors file, texts by name.

    Parameters
    ----------
    content : bytes
        The whole file.
    name : str
        What to call it in messages.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.

    Raises
    ------
    SpectrabridgeError
        If the header is longer than the file, no JSON, or its metadata are no texts.
    """
    what = "a safetensors file"
    with understood(name, what, error):
        (size,) = struct.unpack_from("<Q", content)
        if size > min(MAX_HEADER_BYTES, len(content) - 8):
            raise error(
                f"{name} cannot be read as {what}: its header is longer than the file. Download or "
                "make it again."
            )
        header = json.loads(content[8 : 8 + size])
        found = mapping_of(header).get("__metadata__", {})
        if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
            raise error(f"{name} cannot be read as {what}: its metadata are no texts.")
        return {str(k): v for k, v in found.items()}
