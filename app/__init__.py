"""The Streamlit app: thin pages over `inception_model`."""
