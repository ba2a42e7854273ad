"""The screen: Panel components, and the state they share."""
