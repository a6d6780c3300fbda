"""HTTP: the API, the images and the labeler. No Streamlit, no torch."""
