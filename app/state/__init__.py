"""What one visitor's session remembers, by subject: options, photos, the network, the place in it, the address.

Pages call these modules and never touch `st.session_state` for anything that another page must find again: Streamlit
drops widget keys on a page change, the keys here stay.
"""
