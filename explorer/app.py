"""The explorer: page set-up and navigation, nothing else. Run with `streamlit run explorer/app.py`."""

import os
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:  # Streamlit puts only this file's folder there
    sys.path.insert(0, ROOT)

import streamlit as st  # noqa: E402

if __name__ != "__main__":  # `streamlit run` takes its server from here, once; each visit runs the rest
    # Read when torch is loaded: threads that wait for work sleep, and leave the core to other visits.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    from starlette.middleware import Middleware

    from explorer.server.arrivals import Arrivals
    from explorer.server.content_policy import ContentPolicy
    from explorer.server.warm import warming

    if sys.argv[1:]:
        from explorer.ui.options import check_at_start

        check_at_start()
    app = st.App(__file__, lifespan=warming, middleware=[Middleware(Arrivals), Middleware(ContentPolicy)])
else:
    from streamlit.navigation.page import StreamlitPage

    from explorer.server.warm import loaded

    loaded.wait()

    from explorer.ui import link, sidebar
    from explorer.ui.components import phone
    from explorer.ui.components.history import one_entry_a_page
    from explorer.ui.frame import header, presentation, style
    from explorer.ui.frame.pages import BY_PATH, PAGES, START, Page
    from explorer.ui.markdown import sentence
    from explorer.ui.sidebar import language
    from explorer.ui.turns import TURNS
    from explorer.views.network import stopped
    from explorer.views.tour import strip as tour
    from model import words
    from model.problems import Problem
    from model.words import tr

    def explains_class(page: Page) -> bool:
        """Whether a page asks for a class; Compare does for heat maps, not for feature maps."""
        if page.folder == "compare":
            between = link.chosen("b_own") in ("checkpoint", "both")
            return between or link.chosen("compare") == "classes"
        return page.explains

    link.read()
    words.use(link.language())
    style.set_up_page()
    presentation.use()
    one_entry_a_page()
    sections: dict[str, list[StreamlitPage]] = {}
    for each in PAGES:
        section = tr(each.section) if each.section else ""
        icon = f":material/{each.icon}:"
        entry = st.Page(
            each.script, title=tr(each.title), icon=icon, url_path=each.path, default=each is START
        )
        sections.setdefault(section, []).append(entry)
    start = sections[""][0]
    hidden = st.Page(START.script, title=start.title, url_path=START.folder, visibility="hidden")
    entry = st.navigation(sections | {"": [*sections[""], hidden]}, position="top")
    if entry.url_path == START.folder:  # the first page is at the root, but people try its name
        st.switch_page(start)
    page = BY_PATH.get(entry.url_path, START)
    style.name_page(entry.title, page.shows_title)
    phone.page_links(sections, entry)
    language.switch()
    presentation.way_back()
    with TURNS.computing():
        selection = sidebar.choose(image=page.image, explained=explains_class(page), needed=page.network)
        if page.image:
            phone.close_sidebar(selection)
        if selection is not None and page.image and page.header:
            header.show(selection, entry.url_path)
        with st.sidebar:
            if page is not START:  # which has the button itself
                tour.start()
            presentation.control()
        tour.show(selection, page.folder, begins=page is START)
        if selection is not None or not page.network:
            try:
                entry.run()
            except Problem as problem:  # what the page cannot show of this network or this image
                st.info(sentence(problem))
            link.write()
        elif page is START:
            stopped.show()
