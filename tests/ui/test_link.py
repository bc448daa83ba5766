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


def asked() -> None:
    import streamlit as st

    from explorer.ui import link

    link.read()
    link.choose(st.selectbox, "list", list("abc"), "list", "a")
    link.choose(st.select_slider, "slider", list("abc"), "slider", "a")
    link.choose(st.segmented_control, "row", list("abc"), "row", "a")
    link.several(st.multiselect, "some", list("abc"), "some", ["a"])
    link.number("number", 0, 9, "number")
    link.write()


def test_a_browser_that_draws_only_the_second_run_starts_at_what_the_link_says() -> None:
    at = AppTest.from_function(asked)
    wanted = {"list": "b", "slider": "c", "row": "b", "some": "b,c", "number": "7"}
    for key, value in wanted.items():
        at.query_params[key] = value
    for _ in range(2):
        at.run()
        assert not at.exception
        assert (at.selectbox[0].value, at.select_slider[0].value) == ("b", "c")
        assert at.multiselect[0].value == ["b", "c"]
    assert at.selectbox[0].proto.default == 1
    assert list(at.select_slider[0].proto.default) == [2]
    assert list(at.get("button_group")[0].proto.default) == [1]
    assert list(at.multiselect[0].proto.default) == [1, 2]
    assert at.number_input[0].proto.default == 7
    assert at.query_params == wanted
