"""The address follows the choices, whatever the browser still had in it when it asked."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest


def script() -> None:
    import streamlit as st

    from explorer.ui import link

    def turn() -> None:
        link.hold("scale", {"shared": "channel", "channel": "shared"}[link.held("scale", "shared")], "shared")

    link.read()
    st.button("turn", on_click=turn)
    link.hold("scale", link.held("scale", "shared"), "shared")
    link.write()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What was put into the address, in order."""
    found: list[dict[str, str]] = []
    real = type(st.query_params).from_dict

    def noted(params: object, values: dict[str, str]) -> None:
        found.append(dict(values))
        real(params, values)  # type: ignore[arg-type]

    monkeypatch.setattr(type(st.query_params), "from_dict", noted)
    return found


def test_a_choice_is_written_though_a_late_browser_shows_it_already(written: list[dict[str, str]]) -> None:
    at = AppTest.from_function(script).run()
    for said in ("channel", None, "channel"):
        if said and len(written) > 1:
            at.query_params["scale"] = "channel"  # the second answer has not reached the browser's address
        at.button[0].click().run()
    assert written == [{"scale": "channel"}, {}, {"scale": "channel"}]


def test_what_stands_in_the_address_is_not_written_again(written: list[dict[str, str]]) -> None:
    at = AppTest.from_function(script)
    at.query_params["scale"] = "channel"
    at.run().run().run()
    assert written == []
