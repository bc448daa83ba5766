"""From pixels to evidence: no Streamlit, no drawing, nothing but values out."""
