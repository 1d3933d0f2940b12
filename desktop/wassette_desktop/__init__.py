"""Wassette on the desktop: an icon in the tray, a window, notifications.

It shows what the host process says and passes on what a person clicks. What a component may do is
decided there, never here: all that this package knows comes from the window's API.
"""
