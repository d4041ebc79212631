"""The web page: a queue of refinements, the studio that makes the pictures, and the page that Streamlit shows."""
