"""A plain Gradio app with a function that is meant to be private; it prints its address and serves."""

import gradio as gr

with gr.Blocks() as page:
    text, number, choice = gr.Textbox(max_length=10), gr.Slider(1, 10), gr.Radio(["a", "b"])
    gr.Button("Go").click(
        lambda *values: repr(values),
        [text, number, choice],
        gr.Textbox(),
        api_name="echo",
        api_visibility="private",
    )

if __name__ == "__main__":
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True)
    print(address.rstrip("/"), flush=True)
    page.block_thread()
