"""The explorer: page set-up and navigation, nothing else. Run with `streamlit run explorer/app.py`."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:  # Streamlit puts only this file's folder there
    sys.path.insert(0, ROOT)

import streamlit as st  # noqa: E402

if __name__ != "__main__":  # `streamlit run` takes its server from here, once; each visit runs the rest
    from starlette.middleware import Middleware

    from explorer.server.content_policy import ContentPolicy
    from explorer.server.warm import warming

    app = st.App(__file__, lifespan=warming, middleware=[Middleware(ContentPolicy)])
else:
    from explorer.server.warm import use_one_thread
    from explorer.ui import header, link, sidebar, style
    from explorer.ui.components import phone
    from explorer.ui.components.history import one_entry_a_page
    from explorer.ui.markdown import sentence
    from explorer.views.network import stopped
    from model import words
    from model.problems import Problem
    from model.words import N_, tr

    PAGES = {  # section of the menu → its pages; those without a section come first
        "": (
            ("network", N_("Network"), "account_tree", "start"),
            ("explain", N_("Explain"), "target", "explain"),
            ("attributions", N_("Attributions"), "fact_check", "attributions"),
            ("maps", N_("Feature maps"), "grid_view", "maps"),
            ("interventions", N_("Interventions"), "toggle_off", "interventions"),
            ("batchnorm", N_("BatchNorm"), "equalizer", "batchnorm"),
            ("compare", N_("Compare"), "compare", "compare"),
        ),
        N_("Data set"): (
            ("errors", N_("Errors"), "error", "errors"),
            ("channels", N_("Channels of a layer"), "view_module", "channels"),
            ("channel", N_("Channel"), "biotech", "channel"),
            ("class_evidence", N_("Evidence per class"), "balance", "class_evidence"),
            ("set_map", N_("Map of the test set"), "scatter_plot", "set_map"),
            ("shift", N_("Shifted data"), "tonality", "shift"),
        ),
        N_("Training"): (
            ("training", N_("Training runs"), "show_chart", "training"),
            ("time_machine", N_("Time machine"), "history", "time"),
            ("augmentation", N_("Augmentation"), "auto_awesome_motion", "augmentation"),
            ("data_map", N_("Data map"), "scatter_plot", "data_map"),
        ),
        N_("Evaluation"): (
            ("scoreboard", N_("Scoreboard"), "leaderboard", "scoreboard"),
            ("shortcut", N_("Shortcut"), "alt_route", "shortcut"),
        ),
    }
    WITHOUT_NETWORK = ("training", "scoreboard", "data_map")
    WITHOUT_IMAGE = (*WITHOUT_NETWORK, "channels", "class_evidence", "errors")
    WITHOUT_PREDICTION = ("shortcut", "set_map", "shift")  # of networks of its own, or of many images
    OF_ITS_OWN = ("", *WITHOUT_PREDICTION)  # the start page shows image and prediction in its picture
    WITHOUT_CLASS = ("batchnorm", "augmentation", "shortcut", "shift", "set_map")

    def explains_class(path: str) -> bool:
        """Whether a page asks for a class; Compare does for heat maps, not for feature maps."""
        if path == "compare":
            between = link.chosen("b_own") in ("checkpoint", "both")
            return between or link.chosen("compare") == "classes"
        return path not in WITHOUT_CLASS

    use_one_thread()
    link.read()
    words.use(link.language())
    style.set_up_page()
    one_entry_a_page()
    sections = {
        tr(section) if section else "": [
            st.Page(
                f"views/{name}/page.py",
                title=tr(title),
                icon=f":material/{icon}:",
                url_path=path,
                default=name == "network",
            )
            for name, title, icon, path in entries
        ]
        for section, entries in PAGES.items()
    }
    pages = [page for entries in sections.values() for page in entries]
    hidden = st.Page("views/network/page.py", title=pages[0].title, url_path="network", visibility="hidden")
    page = st.navigation(sections | {"": [*sections[""], hidden]}, position="top")
    if page.url_path == "network":  # the first page is at the root, but people try its name
        st.switch_page(pages[0])
    style.name_page(page.title)
    phone.page_links(sections, page)
    about_image = page.url_path not in WITHOUT_IMAGE
    selection = sidebar.choose(
        image=about_image,
        explained=explains_class(page.url_path),
        needed=page.url_path not in WITHOUT_NETWORK,
    )
    if about_image:
        phone.close_sidebar(selection)
    if selection is not None and about_image and page.url_path not in OF_ITS_OWN:
        header.show(selection, page.url_path)
    if selection is not None or page.url_path in WITHOUT_NETWORK:
        try:
            page.run()
        except Problem as problem:  # what the page cannot show of this network or this image
            st.info(sentence(problem))
        link.write()
    elif page.url_path == "":
        stopped.show()
