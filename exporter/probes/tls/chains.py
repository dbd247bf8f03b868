"""Certificate chains of a connection: the one that the peer sent, and the one used for verification."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

if sys.version_info >= (3, 13):

    def presented_chain(ssl_object: ssl.SSLObject) -> list[bytes]:
        """Return the chain that the peer sent, in DER form, its own certificate first."""
        return ssl_object.get_unverified_chain()

    def verified_chain(ssl_object: ssl.SSLObject) -> list[bytes]:
        """Return the chain from the peer's certificate to a trusted one, in DER form."""
        return ssl_object.get_verified_chain()

else:
    # Python 3.10 to 3.12 have these calls without a public name.

    def presented_chain(ssl_object: ssl.SSLObject) -> list[bytes]:
        """Return the chain that the peer sent, in DER form, its own certificate first."""
        chain = ssl_object._sslobj.get_unverified_chain()  # type: ignore[attr-defined] # see above
        return [certificate.public_bytes(_DER) for certificate in chain or ()]

    def verified_chain(ssl_object: ssl.SSLObject) -> list[bytes]:
        """Return the chain from the peer's certificate to a trusted one, in DER form."""
        chain = ssl_object._sslobj.get_verified_chain()  # type: ignore[attr-defined] # see above
        return [certificate.public_bytes(_DER) for certificate in chain or ()]

    _DER = 2
    """`_ssl.ENCODING_DER`."""
