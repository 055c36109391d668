"""Characters that a terminal would obey, and text without them."""

CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def visible(text: str) -> str:
    """The text without characters that a terminal would obey: what a model or a file says moves no cursor."""
    return text.translate(CONTROLS)
