"""Addresses of servers: which are safe to ask, and how requests reach them."""

from __future__ import annotations

import ipaddress
import os
import urllib.request
from urllib.parse import urlsplit

from ..errors import DownloadError


def require_safe_url(url: str) -> None:
    """Raise a DownloadError unless an address is https, or http on this machine.

    Parameters
    ----------
    url : str
        The address of a file or a server.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise DownloadError(f"Expected an address such as https://data.sdss.org/sas; found {url}.")
    if parts.username or parts.password:
        raise DownloadError(f"Expected an address without user name and password for {host}.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local(host)):
        raise DownloadError(
            f"Expected an address that starts with https://; found {url}. Plain http is for "
            "servers on this machine only."
        )


def host_of(url: str) -> str:
    """Return host and port of an address, for messages."""
    return urlsplit(url).netloc


def is_local(host: str) -> bool:
    """Return whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def through_proxy(url: str) -> str:
    """Return " through the proxy NAME" for requests that take one, without its password."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme, "")
    host = parts.hostname or ""
    if not proxy or is_local(host) or urllib.request.proxy_bypass(host):
        return ""
    return f" through the proxy {urlsplit(proxy).hostname or ''}"


def certificates() -> str | None:
    """Return the path of certifi's certificates where it is installed, as astropy does."""
    if os.environ.get("SSL_CERT_FILE"):
        return None
    try:
        import certifi
    except ImportError:
        return None
    return str(certifi.where())
