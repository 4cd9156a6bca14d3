"""Look: one photo, three heads, and the network on it."""

import streamlit as st

from app import theme
from app.figures import network_map
from app.jobs.map_quantities import QUANTITIES
from app.state.panel import panels
from app.views.look import contact_sheet, first_screen
from app.widgets import present, report_button, teach

shown = panels()
if present.on():
    first_screen.presented(shown)
    network_map.show(shown, network_map.colour())
else:
    first_screen.show(shown)
    contact_sheet.show()

    title = st.container()
    colour = network_map.colour_choice()
    with title:
        theme.heading(
            "The network on your photo",
            "Every column is an Inception module, its strongest channel above it; its four lanes are the branches, as "
            f"tall as their share of channels and {QUANTITIES[colour].reading}. Click a lane to go inside. "
            "(Paper, Table 1 and Figure 3.)",
        )
    network_map.show(shown, colour)
    teach.note("map")
    report_button.show(shown[0])
