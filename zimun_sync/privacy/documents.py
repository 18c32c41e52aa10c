"""JSON documents whose values are hidden while their keys stay."""

import json
from collections.abc import Callable
from typing import Any, Final

Act = Callable[[str], str]

# Made once: to make one takes longer than to read a document.
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def hide_values(text: str, act: Act) -> str:
    """A document with each of its values but null replaced, however deep they lie.

    Args:
        text: JSON.
        act: makes what is shown of a value's text; numbers and booleans are as JSON spells them.
    """
    try:
        shown = _shown(_DECODER.decode(text), act)
    except RecursionError:
        shown = act(text)  # nested too deeply to be walked: one value
    spelt = _ENCODER.encode(shown)
    return spelt.encode(errors="backslashreplace").decode()  # half a surrogate stays escaped


def _shown(value: Any, act: Act) -> Any:
    if isinstance(value, dict):
        return {key: _shown(each, act) for key, each in value.items()}
    if isinstance(value, list):
        return [_shown(each, act) for each in value]
    if value is None:
        return None
    return act(json.dumps(value) if isinstance(value, bool) else value)
