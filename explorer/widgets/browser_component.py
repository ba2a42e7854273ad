"""What all components with JavaScript of their own have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from panel.custom import JSComponent

_COMPONENTS: dict[str, type[BrowserComponent]] = {}


class BrowserComponent(JSComponent):
    """A component that is drawn by JavaScript of its own, and speaks with it."""

    from_browser: ClassVar[tuple[str, ...]] = ()
    """Parameters that the browser may set. A server takes changes of no other."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        _COMPONENTS[cls.__name__] = cls

    @classmethod
    def accepts(cls, name: str, value: Any, server: Mapping[str, Any]) -> bool:
        """Tell whether a browser may set a parameter to this value.

        Parameters
        ----------
        name : str
            The parameter.
        value : object
            As JSON has it.
        server : mapping
            The component's parameters as the server has them.
        """
        return name in cls.from_browser

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


def component_named(name: str) -> type[BrowserComponent] | None:
    """Return the class of a component, None for none of ours.

    Examples
    --------
    >>> class Dial(BrowserComponent):
    ...     from_browser = ("angle",)
    >>> component_named("Dial").accepts("angle", 30, {})
    True
    >>> component_named("Dial").accepts("label", "mine", {})
    False
    """
    return _COMPONENTS.get(name)
