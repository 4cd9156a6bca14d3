"""Look: one photo, three heads, and the network on it."""

import streamlit as st

from app import theme
from app.components import heads_view, network_map, photo_bar

left, right = st.columns([300, 896], gap="medium")
with left:
    photo_bar.show()
with right:
    heads_view.show()

theme.heading(
    "The network on your photo",
    "Every column is an Inception module; its four lanes are the branches, as tall as their share of channels and as "
    "strong in colour as their mean activation here. Click a lane to go inside. (Paper, Table 1 and Figure 3.)",
)
network_map.legend()
network_map.show()
