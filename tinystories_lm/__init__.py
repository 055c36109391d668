"""Train small language models from scratch: reproducibly, cheaply, and with understanding."""

__version__ = "0.1.0"
