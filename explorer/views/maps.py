"""Feature maps."""
import streamlit as st
st.header("Feature maps")
