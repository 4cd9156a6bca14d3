import streamlit as st
from app import state, theme
theme.heading("Model", "x")
