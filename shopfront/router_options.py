"""The options by which a command says which router it calls and how; the configuration fills in the rest."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from server.ingress.client_channel import ChannelError, RouterAddress, token_in
from server.ingress_settings import IngressSettings, is_loopback, split_address
from shopfront.workspace import DEFAULT_FILE, Workspace

TOKEN_VARIABLE = "SHOPFRONT_TOKEN"
ROUTER = "router"
"""Name of the parameter whose place the options take."""
_PANEL = "The router"


def _option(*names: str, help: str) -> Any:
    variable = f"SHOPFRONT_{names[0].lstrip('-').replace('-', '_').upper()}"
    return typer.Option(*names, help=help, envvar=variable, rich_help_panel=_PANEL)


def _flag(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=_PANEL)


def router_of(
    address: Annotated[str, _option("--address", help="host:port; default: the configuration's.")] = "",
    config: Annotated[
        Path | None,
        _flag(
            "--config",
            help="Configuration of the router, for what is not said here; read where it is given, and where "
            "no address is.",
        ),
    ] = None,
    insecure: Annotated[
        bool, _flag("--insecure", help="Use plain text, also where the configuration has TLS.")
    ] = False,
    tls: Annotated[bool, _flag("--tls", help="Use TLS and trust this machine's authorities.")] = False,
    cacert: Annotated[
        Path | None, _option("--cacert", help="PEM file that verifies the router's certificate.")
    ] = None,
    cert: Annotated[
        Path | None, _option("--cert", help="PEM file of this side's certificate; needs --key.")
    ] = None,
    key: Annotated[Path | None, _option("--key", help="PEM file of its key; needs --cert.")] = None,
    cname: Annotated[str, _option("--cname", help="Name to expect in the router's certificate.")] = "",
    authority: Annotated[str, _flag("--authority", help="Value of :authority; plain text only.")] = "",
    token_file: Annotated[
        Path | None,
        _option("--token-file", help=f"File whose first line is a bearer token; or set {TOKEN_VARIABLE}."),
    ] = None,
) -> RouterAddress:
    """The router that the options mean.

    Raises `ChannelError` where they contradict each other or a file cannot be read, SettingsError and OSError
    where the configuration cannot be read.
    """
    ingress = _configured(config) if config is not None or not address else None
    files = cacert is not None or cert is not None or key is not None or bool(cname)
    if insecure and (tls or files):
        raise ChannelError(
            "--insecure is plain text: leave out --tls, --cacert, --cert, --key and --cname, or --insecure"
        )
    served_tls = ingress.tls if ingress is not None and not insecure else None
    encrypted = tls or files or served_tls is not None
    if authority and encrypted:
        raise ChannelError(
            "--authority works in plain text only; with TLS give the router's name with --cname"
        )
    if served_tls is not None and cacert is None and not tls:
        # A server with exactly this certificate is the router.
        cacert = served_tls.certificate
        if not address and not cname and ingress is not None:
            cname = _other_name(cacert, split_address(reachable(ingress.address))[0])
    at = address or reachable(ingress.address if ingress is not None else "")
    token = _token(token_file, ingress, os.environ)
    if token and not encrypted and not insecure and not is_loopback(at.rpartition(":")[0]):
        raise ChannelError(
            f"the token would be sent to {at} in plain text; give --cacert or --tls, or say --insecure"
        )
    return RouterAddress(at, encrypted, cacert, cert, key, cname, authority, token)


def takes_router(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of `router_of` in the place of its parameter `router`."""
    hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(command).parameters.values()
        if parameter.name != ROUTER
    ]
    options = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(router_of, eval_str=True).parameters.values()
    ]

    @wraps(command)
    def with_options(**values: Any) -> None:
        router = router_of(**{option.name: values.pop(option.name) for option in options})
        command(router=router, **values)

    # Typer reads both.
    with_options.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in (*own, *options)}
    return with_options


def reachable(address: str) -> str:
    """The address by which a router on this machine is called that listens on `address`.

    Raises `ChannelError` for port 0, which means one that only the router knows.
    """
    host, port = split_address(address)
    if port == 0:
        raise ChannelError("the router takes a free port, says its configuration: give --address")
    return f"{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"


def own_router(ingress: IngressSettings, address: str) -> RouterAddress | None:
    """How the process that has started a router at `address` calls it.

    With an operator's token where the router names operators. None where callers must show a certificate,
    since the process has none.
    """
    if ingress.tls is not None and ingress.tls.client_ca is not None:
        return None
    certificate = ingress.tls.certificate if ingress.tls is not None else None
    at = reachable(address)
    return RouterAddress(
        at,
        tls=certificate is not None,
        cacert=certificate,
        cname=_other_name(certificate, split_address(at)[0]) if certificate is not None else "",
        token=_operators_token(ingress, os.environ) or _accepted_token(ingress, os.environ),
    )


def _configured(config: Path | None) -> IngressSettings:
    if config is None and not DEFAULT_FILE.is_file():
        return IngressSettings()
    from shopfront.settings import load_settings

    return load_settings(config or DEFAULT_FILE, Workspace.for_data(None)).router.ingress


def _token(file: Path | None, ingress: IngressSettings | None, environment: Mapping[str, str]) -> str:
    if file is not None:
        return token_in("--token-file", file)
    if environment.get(TOKEN_VARIABLE, "").strip():
        return environment[TOKEN_VARIABLE].strip()
    return _accepted_token(ingress, environment) if ingress is not None else ""


def _accepted_token(ingress: IngressSettings, environment: Mapping[str, str]) -> str:
    if ingress.tokens.file is not None:
        return token_in("ingress.tokens.file", ingress.tokens.file)
    return environment.get(ingress.tokens.environment, "").split(",")[0].strip()


def _operators_token(ingress: IngressSettings, environment: Mapping[str, str]) -> str:
    if ingress.tokens.operators_file is not None:
        return token_in("ingress.tokens.operators_file", ingress.tokens.operators_file)
    return environment.get(ingress.tokens.operators_environment, "").split(",")[0].strip()


def _other_name(path: Path, host: str) -> str:
    """The name to expect in the certificate of a router that is called by `host`; "" where that is in it."""
    # Only a call of a router with certificates pays for the library that reads them.
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError) as error:
        raise ChannelError(
            f"ingress.tls.certificate: {path} cannot be read ({error}); give --cacert"
        ) from error
    except x509.ExtensionNotFound:
        return ""
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    hosts = names.get_values_for_type(x509.DNSName)
    if host.strip("[]") in (*addresses, *hosts):
        return ""
    # Any name under a wildcard is in it.
    return hosts[0].replace("*.", "router.", 1) if hosts else ""
