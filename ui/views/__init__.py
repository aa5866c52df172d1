"""The pages of the web interface: one module each, thin; what they show is made elsewhere in `ui`.

Only modules of this package, `ui.page`, `ui.app` and `ui.web_component` know Streamlit.
"""
