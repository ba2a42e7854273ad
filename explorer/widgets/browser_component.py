"""What all components with JavaScript of their own have in common."""

from __future__ import annotations

from typing import Any

from panel.custom import JSComponent


class BrowserComponent(JSComponent):
    """A component that is drawn by JavaScript of its own, and speaks with it."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.on_msg(lambda event: self.take_message(event.data))

    def take_message(self, message: Any) -> None:
        """Take what a browser has sent, which can be made to send anything."""
        if isinstance(message, dict):
            self.receive(message)

    def receive(self, message: dict[str, Any]) -> None:
        """Take a message of ``model.send_msg``; nothing is done with it if not overridden."""

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, which JavaScript hears by ``model.on("msg:custom", ...)``."""
        self._send_msg(message)
