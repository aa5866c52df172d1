"""Routes of the page beside Streamlit's own: what browsers load by themselves.

Here belong requests, answers and their headers. What they give is made by modules of `ui`, which
know no HTTP.

Who may ask: whoever can open the page. It listens on loopback, or behind a proxy that signs people
in (`EOLOOM_PAGE_BEHIND_PROXY`), which sees these requests like all others: they have the page's
origin, and with it its cookies. Then each user gets their own runs only. Other sites may not embed
what is given here.
"""
