"""The charts: pure functions from the library's answers to plotly figures, one file per subject.

Nothing here knows Streamlit; `app.widgets.chart.show` puts a figure on a page.
"""
