"""What results say: in sentences, in rows of tables, in JSON and CSV, for the page, the endpoints and files alike.

It knows neither Gradio nor HTML.
"""
