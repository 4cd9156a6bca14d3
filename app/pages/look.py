import streamlit as st
from app import state, theme
theme.heading("Look", "x")
st.write(state.look().seconds)
