"""The web page: a queue of refinements, the studio where pictures are made, and the page that Streamlit shows."""
