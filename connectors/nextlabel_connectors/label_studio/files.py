"""Files that tasks point at: uploads, local and cloud storage through Label Studio, and the web where it is allowed.

A task's data is written by whoever imports tasks, so an address in it is not to be trusted: nextlabel must not be made
to read the network it stands in, nor to show its token to strangers.
"""

from __future__ import annotations

import re
import socket
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Timer
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from nextlabel.errors import FileUnavailable, ToolError
from nextlabel.labeling import ToolProjectId
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.trusted import trusted

_STORAGE = ("s3", "gs", "azure-blob")
_PORTS = {"http": 80, "https": 443}
# Where Label Studio keeps files. A GET elsewhere may do something: that of the next task takes it from the annotators.
_RESOLVE = r"/(?:tasks|projects)/\d+/(?:resolve|presign)/"
_OWN_FILES = re.compile(rf"/(?:data|storage-data)/.+|{_RESOLVE}")


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What is put up with for one file: bytes, seconds from the first request to the last byte, redirects."""

    size: int = 20_000_000
    seconds: float = 10.0
    redirects: int = 3


_LIMITS = FileLimits()


def fetch_file(
    client: LabelStudioClient,
    project: ToolProjectId,
    address: str,
    allowed_hosts: Collection[str] = (),
    limits: FileLimits = _LIMITS,
) -> bytes:
    """What stands at an address that a task of the project names. Raises `FileUnavailable`, which says why not.

    A path (``/data/upload/…``, ``/data/local-files/?d=…``) is Label Studio's own; ``s3://``, ``gs://`` and
    ``azure-blob://`` are asked of it; any other web address is read only where its host is one of ``allowed_hosts``:
    ``images.example.org`` is that host at public addresses and the usual ports, ``.example.org`` any host below it,
    ``minio.internal:9000`` that port wherever it is, a private network included. Every redirect is held to the same
    rule, and the token goes to Label Studio's own origin only.
    """
    reader = _Reader(client, frozenset(host.lower() for host in allowed_hosts), limits)
    try:
        return reader.read(_web_address(client.url, project, address))
    except FileUnavailable as error:
        raise FileUnavailable(f"{_shown(address)} is not read: {error}") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise FileUnavailable(f"{_shown(address)} cannot be read ({error or type(error).__name__}).") from error
    except ToolError as error:  # there was no token to be had
        raise FileUnavailable(f"{_shown(address)} cannot be read: {error}") from error


class _Reader:
    """Reads one file, redirect by redirect."""

    def __init__(self, client: LabelStudioClient, allowed: frozenset[str], limits: FileLimits) -> None:
        self._client, self._allowed, self._limits = client, allowed, limits
        self._own = httpx.URL(client.url)
        self._until = time.monotonic() + limits.seconds

    def read(self, address: str) -> bytes:
        try:
            return self._followed(httpx.URL(address))
        except httpx.HTTPError:
            self._left()  # where it was we who ended it, that is what is to be said
            raise

    def _followed(self, url: httpx.URL) -> bytes:
        for _ in range(self._limits.redirects + 1):
            with self._open(url) as response:
                if not response.has_redirect_location:
                    return self._content(response)
                url = url.join(response.headers["location"])
        raise FileUnavailable(f"it redirects more than {self._limits.redirects} times.")

    def _open(self, url: httpx.URL) -> AbstractContextManager[httpx.Response]:
        """Ask for it, once it is sure that it may be asked for."""
        if url.scheme not in _PORTS or url.userinfo:
            raise FileUnavailable(f"{_shown(str(url))} is no address of a file on the web.")
        return self._open_own(url) if _origin(url) == _origin(self._own) else self._open_foreign(url)

    def _open_own(self, url: httpx.URL) -> AbstractContextManager[httpx.Response]:
        path = url.path.removeprefix(self._own.path.rstrip("/"))
        if not _OWN_FILES.fullmatch(path) or {".", ".."} & set(path.replace("\\", "/").split("/")):
            raise FileUnavailable(f"Label Studio keeps no files at {path!r}, or asks for a login.")
        return self._client.stream(url, headers=_PLAIN, timeout=self._left())

    @contextmanager
    def _open_foreign(self, url: httpx.URL) -> Iterator[httpx.Response]:
        """The host's name is looked up once, and what was checked is what is connected to."""
        host, port = url.raw_host.decode("ascii").lower(), url.port or _PORTS[url.scheme]
        anywhere = f"{host}:{port}" in self._allowed
        usual = port == _PORTS[url.scheme] and any(
            host == one or (one.startswith(".") and host.endswith(one)) for one in self._allowed
        )
        if not anywhere and not usual:
            raise FileUnavailable(
                f"{host}:{port} is not among the hosts that files may be read from: name it in NEXTLABEL_FILE_HOSTS if "
                "that is meant."
            )
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if not anywhere and not all(_is_public(one) for one in found):
            raise FileUnavailable(
                f"{host} is in a private network: name it as {host}:{port} in NEXTLABEL_FILE_HOSTS if that is meant."
            )
        # No proxy of the environment: it would look the name up again.
        with (
            self._ended_in_time() as trace,
            httpx.Client(trust_env=False, verify=trusted(by_environment=False)) as http,
            http.stream(
                "GET",
                url.copy_with(host=found[0]),
                headers={"Host": url.netloc.decode("ascii"), **_PLAIN},
                extensions={"sni_hostname": host, "trace": trace},
                timeout=self._left(),
            ) as response,
        ):
            yield response

    @contextmanager
    def _ended_in_time(self) -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
        """Gives what HTTPX is to tell of its connection, which is cut when the time is up.

        The timeout of HTTPX is for each piece that arrives: whoever sends a byte of a head now and then would never
        run into it.
        """
        connections: list[socket.socket] = []

        def trace(event: str, found: Mapping[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                # A copy, because TLS takes the socket itself away.
                connections.append(found["return_value"].get_extra_info("socket").dup())
                self._left()

        def cut() -> None:
            for one in connections:
                with suppress(OSError):  # the other side was quicker
                    one.shutdown(socket.SHUT_RDWR)

        timer = Timer(self._left(), cut)
        timer.start()
        try:
            yield trace
        finally:
            timer.cancel()
            timer.join()
            for one in connections:
                one.close()

    def _content(self, response: httpx.Response) -> bytes:
        if response.status_code != httpx.codes.OK:
            raise FileUnavailable(f"{response.url.host} answered {response.status_code}.")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise FileUnavailable(f"{response.url.host} sent it compressed, which it was asked not to.")
        content = bytearray()
        if int(response.headers.get("content-length", 0)) > self._limits.size:
            raise self._too_large()
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > self._limits.size:
                raise self._too_large()
            self._left()
        return bytes(content)

    def _left(self) -> float:
        seconds = self._until - time.monotonic()
        if seconds <= 0:
            raise FileUnavailable(f"it took more than {self._limits.seconds:g} seconds.")
        return seconds

    def _too_large(self) -> FileUnavailable:
        return FileUnavailable(f"it is larger than {self._limits.size / 1e6:g} MB.")


_PLAIN = {"Accept-Encoding": "identity"}  # a small answer cannot unpack into a large one


def _web_address(own: str, project: ToolProjectId, address: str) -> str:
    """Where to ask for it."""
    address = address.strip()
    scheme, _, path, query, _ = urlsplit(address)
    if scheme in _STORAGE:
        coded = urlsafe_b64encode(address.encode()).decode()
        return f"{own}/projects/{quote(project, safe='')}/resolve/?fileuri={coded}"
    if scheme and (resolve := re.search(f"{_RESOLVE}$", path)):
        return f"{own}{resolve[0]}?{query}"  # it knows itself by another name than we do (LABEL_STUDIO_HOST)
    if scheme or not address.startswith("/") or address.startswith("//"):
        return address
    root = urlsplit(own).path  # where Label Studio is served under a path, tasks have it with and without
    return f"{own.removesuffix(root)}{address}" if root and address.startswith(f"{root}/") else f"{own}{address}"


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host.lower(), url.port or _PORTS.get(url.scheme, 0)


def _is_public(address: str) -> bool:
    one = ip_address(address.partition("%")[0])
    inner = getattr(one, "ipv4_mapped", None) or getattr(one, "sixtofour", None) or one
    return one.is_global and inner.is_global and not one.is_multicast


def _shown(address: str) -> str:
    """An address as it may stand in a log: a query may hold a signature."""
    return repr(address.split("?", 1)[0][:200])
