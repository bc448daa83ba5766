"""What a page sends to its own components, and what a visitor does in them."""

import json
from typing import Any

from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest


def component(at: AppTest, key: str) -> dict[str, Any]:
    """What the browser gets for the component with a key."""
    return dict(json.loads(_sent(at, key).json))


def click(at: AppTest, key: str, **event: object) -> None:
    """Run the page with an event of the component with a key, as the browser sends it."""
    states = at._tree.get_widget_states()
    events = [{"event": name, "value": value} for name, value in event.items()]
    aggregator = _make_trigger_id(_sent(at, key).id, "events")
    states.widgets.append(WidgetState(id=aggregator, json_trigger_value=json.dumps(events)))
    at._run(states)


def _sent(at: AppTest, key: str) -> Any:
    (sent,) = [each.proto for each in at.get("bidi_component") if each.proto.id.endswith(f"-{key}")]
    return sent
