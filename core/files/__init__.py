"""Files from strangers: opened with limits, and what goes wrong said in a sentence.

Every reader of the package opens its files here, on the lowest floor, so that a file that
somebody sent cannot make it read another file, fill the memory, or raise what the user
does not understand:

===============================================  ==============================================
:func:`~.regular.read_limited`                   content of a regular file, up to a limit
:func:`~.regular.unpacked`                       the same with gzip undone, up to a limit
:func:`~.understood.understood`                  whatever a library raises becomes a sentence
:class:`~.budget.ByteBudget`                     counts what is declared before it is allocated
:func:`~.hdf5.open_hdf5`                         no linked, external, virtual or object data
:func:`~.hdf5_texts.texts_of`                    no text longer than the file, none that
                                                 never ends
:func:`~.fits_layout.fits_layout`                one walk over FITS headers, before astropy
:func:`~.npz.open_npz`, :func:`~.npz.open_zip`   members measured before they are unpacked
:func:`~.zarr_store.open_zarr`                   only codecs that unpack, no links
:func:`~.zarr_texts.require_texts`               no more texts than a chunk has room for
:func:`~.safetensors_header.read_metadata`       the header of a safetensors file
===============================================  ==============================================
"""

from .budget import ByteBudget
from .regular import open_regular, read_limited, unpacked
from .understood import understood

__all__ = ["ByteBudget", "open_regular", "read_limited", "understood", "unpacked"]
