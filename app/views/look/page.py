"""Look: one photo, three heads, and the network on it."""

import streamlit as st

from app import theme
from app.figures import comparison, network_map
from app.jobs.map_quantities import QUANTITIES
from app.views.look import contact_sheet
from app.widgets import report_button, teach

comparison.look()
contact_sheet.show()

title = st.container()
colour = network_map.colour_choice()
with title:
    theme.heading(
        "The network on your photo",
        "Every column is an Inception module, its strongest channel above it; its four lanes are the branches, as tall "
        f"as their share of channels and {QUANTITIES[colour].reading}. Click a lane to go inside. "
        "(Paper, Table 1 and Figure 3.)",
    )
network_map.show(colour)
teach.note("map")
report_button.show()
