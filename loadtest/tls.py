"""The TLS of a connection: ghz's --cacert, --cert, --key, --cname and --skipTLS."""

from __future__ import annotations

import ssl

from loadtest.errors import LoadTestError
from loadtest.options import LoadOptions


def tls_context(options: LoadOptions) -> ssl.SSLContext | None:
    """The context to connect with, ALPN h2; None for plaintext.

    Raises LoadTestError for files that do not load.
    """
    if options.insecure:
        return None
    try:
        context = ssl.create_default_context(cafile=options.cacert or None)
    except (OSError, ssl.SSLError) as error:
        raise LoadTestError(f"--cacert: {options.cacert} does not hold root certificates: {error}") from error
    context.set_alpn_protocols(["h2"])
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.skip_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.cert:
        try:
            context.load_cert_chain(options.cert, options.key)
        except (OSError, ssl.SSLError) as error:
            raise LoadTestError(
                f"--cert and --key: {options.cert} and {options.key} do not load as a pair: {error}"
            ) from error
    return context
