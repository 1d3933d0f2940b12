"""JSON values in and out of components: codecs that are built once per function.

wasmtime-py has a conversion of its own, which is not used: it keeps state in module globals that
threads share, leaves out the tags of variants where it thinks it can, wraps integers that are out
of range, aborts the process on a lone surrogate as `char`, and takes a second per megabyte of
bytes. The codecs here read and write the C API's values (`wasmtime_component_val_t`) in place.

`codec` says what a codec is; `scalars`, `lists` and `compounds` have them, by kinds of types;
`build` makes the one for a type, and `functions` calls with them. The JSON form of each type is
what `schema` describes. Arguments that do not fit are `InvalidArguments` with the path of the
value, what was expected and what was given:

    items[2].price: expected an integer from 0 to 255, got 300
"""

from __future__ import annotations

from .codec import KindMismatch
from .functions import MAX_BYTE_LIST, EncodedArguments, FunctionCodec, is_result_too_large
from .scalars import SAFE_INTEGER

__all__ = [
    "MAX_BYTE_LIST",
    "SAFE_INTEGER",
    "EncodedArguments",
    "FunctionCodec",
    "KindMismatch",
    "is_result_too_large",
]
