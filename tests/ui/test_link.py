"""The address follows the choices, whatever the browser still had in it when it asked."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest


def script() -> None:
    import streamlit as st

    from explorer.ui import link

    def turn() -> None:
        link.keep(
            "scale", {"shared": "channel", "channel": "shared"}[link.value("scale", "shared")], "shared"
        )

    link.read()
    st.button("turn", on_click=turn)
    link.keep("scale", link.value("scale", "shared"), "shared")
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


def stepped() -> None:
    import streamlit as st

    from explorer.ui import link, stepping

    link.read()
    stepping.follow("letter", list("abcd"), "a")
    link.choose(st.selectbox, "letter", list("abcd"), "letter", "a", format_func=str.upper)
    stepping.steps("letter", list("abcd"))
    stepping.follow("number", range(10))
    link.number("number", 0, 9, "number")
    link.write()


def clicked(at: AppTest, key: str, drawn: object, total: object) -> AppTest:
    """The page as the browser asks for it when its buttons have been clicked this often in all."""
    at.session_state[f"{key}_steps"] = {"count": {"drawn": drawn, "sum": total}}
    at.run()
    assert not at.exception
    return at


def test_clicks_that_come_together_all_count_and_none_counts_twice() -> None:
    at = AppTest.from_function(stepped).run()
    assert clicked(at, "letter", "x", 2).selectbox[0].value == "c"
    assert at.run().selectbox[0].value == "c"
    assert clicked(at, "letter", "x", 3).query_params == {"letter": "d"}
    assert clicked(at, "letter", "x", 4).query_params == {}  # round and round
    assert clicked(at, "letter", "y", -1).query_params == {"letter": "d"}  # drawn anew: counted from zero
    assert clicked(at, "number", "x", 8).number_input[0].value == 8


@pytest.mark.parametrize(
    ("drawn", "total"), [("x", 1.5), ("x", "1"), ("x", None), (1, 1), ("x", 10**9), ("x", True)]
)
def test_what_is_no_count_of_clicks_is_none(drawn: object, total: object) -> None:
    at = AppTest.from_function(stepped).run()
    assert clicked(at, "letter", drawn, total).query_params == {}


def test_what_a_browser_sends_of_a_widget_before_a_step_is_late() -> None:
    at = AppTest.from_function(stepped).run()
    late = at.selectbox[0]
    clicked(at, "letter", "x", 1)
    late.set_value("a")  # what the browser still shows; it is no choice
    assert clicked(at, "letter", "x", 2).query_params == {"letter": "c"}
    at.selectbox[0].set_value("b").run()
    assert at.query_params == {"letter": "b"}
    assert clicked(at, "letter", "x", 3).query_params == {"letter": "c"}


def test_back_and_forward_take_every_choice_from_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    at = AppTest.from_function(asked)
    at.query_params["list"], at.query_params["number"] = "b", "7"
    at.run()
    at.selectbox[0].set_value("c")
    at.multiselect[0].set_value(["b"]).run()
    assert at.query_params == {"list": "c", "number": "7", "some": "b"}
    monkeypatch.setattr("explorer.ui.link.came_back", lambda: True)
    for address in ({"list": "b"}, {"number": "3", "some": "a,c"}, {"list": "nonsense"}, {}):
        at.query_params.clear()
        at.query_params.update(address)
        at.run()
        assert not at.exception
        assert at.selectbox[0].value == (address.get("list") if address.get("list") == "b" else "a")
        assert at.number_input[0].value == int(address.get("number", 0))
        assert at.multiselect[0].value == address.get("some", "a").split(",")
        assert at.query_params == {key: value for key, value in address.items() if value != "nonsense"}


def elsewhere() -> None:
    import streamlit as st

    from explorer.ui import link

    link.read()
    if st.toggle("other page"):
        link.choose(st.selectbox, "mine", list("abc"), "mine", "a")
    else:
        link.keep("channel", link.value("channel", ""), "")
        link.choose(st.selectbox, "list", list("abc"), "list", "a")
    link.write()


def test_another_page_leaves_the_choices_of_this_one_in_the_address() -> None:
    at = AppTest.from_function(elsewhere)
    at.query_params["list"], at.query_params["channel"] = "b", "5"
    at.run()
    at.toggle[0].set_value(True).run()
    assert at.query_params == {"list": "b", "channel": "5"}
    at.selectbox[0].set_value("c").run()
    assert at.query_params == {"list": "b", "channel": "5", "mine": "c"}
    at.toggle[0].set_value(False).run()
    assert at.selectbox[0].value == "b"


def renamed() -> None:
    import streamlit as st

    from explorer.ui import link

    link.read()
    words = st.text_input("words", "one,two").split(",")
    link.choose(st.selectbox, "list", ["0", "1"], "list", "0", format_func=lambda at: words[int(at)])
    link.write()


def test_other_texts_for_the_same_options_make_a_new_widget_with_the_same_choice() -> None:
    at = AppTest.from_function(renamed).run()
    at.selectbox[0].set_value("1").run()
    before = at.selectbox[0].proto.id
    at.text_input[0].set_value("one,three").run()
    assert at.selectbox[0].proto.id != before
    assert (at.selectbox[0].value, at.selectbox[0].options) == ("1", ["one", "three"])
    assert at.run().selectbox[0].value == "1"


def secret() -> None:
    import streamlit as st

    from explorer.ui import link

    link.read()
    chosen = link.choose(st.selectbox, "source", ["samples", "upload", "test"], "source", "samples")
    if st.session_state.get("breaks off"):
        st.stop()
    if chosen == "upload":
        link.leave_out("source")
    link.write()


def test_back_keeps_what_no_address_can_say_though_a_run_broke_off(monkeypatch: pytest.MonkeyPatch) -> None:
    at = AppTest.from_function(secret).run()
    at.selectbox[0].set_value("upload").run()
    assert at.query_params == {}
    at.session_state["breaks off"] = True
    at.run()
    at.session_state["breaks off"] = False
    monkeypatch.setattr("explorer.ui.link.came_back", lambda: True)
    assert at.run().selectbox[0].value == "upload"
    at.query_params["source"] = "test"
    assert at.run().selectbox[0].value == "test"


def test_a_link_that_states_a_default_is_not_rewritten_at_once() -> None:
    at = AppTest.from_function(asked)
    at.query_params["list"] = "a"
    assert at.run().query_params == {"list": "a"}
    at.selectbox[0].set_value("c").run()
    assert at.query_params == {"list": "c"}


def test_what_a_link_says_and_there_is_not_leaves_the_address_at_once() -> None:
    at = AppTest.from_function(asked)
    at.query_params["list"] = "nothing of it"
    at.query_params["other page"] = "stays"
    assert at.run().query_params == {"other page": "stays"}


def leading() -> None:
    import streamlit as st

    from explorer.ui import link

    link.read()
    first = link.choose(st.selectbox, "first", list("abc"), "first", "a")
    link.follow_default("second", first)
    link.choose(st.selectbox, "second", list("abc"), "second", first)
    link.write()


def test_back_restores_a_choice_that_equals_a_later_default(monkeypatch: pytest.MonkeyPatch) -> None:
    at = AppTest.from_function(leading).run()
    at.selectbox[1].set_value("b").run()
    at.selectbox[0].set_value("b").run()
    assert at.query_params == {"first": "b"}
    monkeypatch.setattr("explorer.ui.link.came_back", lambda: True)
    at.query_params.clear()
    at.query_params["second"] = "b"
    at.run()
    assert [box.value for box in at.selectbox] == ["a", "b"]
    assert at.query_params == {"second": "b"}


def joined() -> None:
    import streamlit as st

    from explorer.ui import link

    link.read()
    names = ["a,b", "%41", "c"]
    st.button("choose", on_click=link.change_several, args=("some", names[:2]))
    link.several(st.multiselect, "some", names, "some", ["c"])
    link.write()


def test_names_with_commas_and_codes_are_chosen_by_a_button() -> None:
    at = AppTest.from_function(joined).run()
    at.button[0].click().run()
    assert at.multiselect[0].value == ["a,b", "%41"]
