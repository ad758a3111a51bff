"""Certificates for the tests' servers: a CA of their own, and a certificate of it."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certify(folder: Path, host: str, *, days: tuple[float, float] = (-1, 2)) -> None:
    """Make a CA, and a certificate of it for one host: `ca.pem`, `server.pem` and `server.key`."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
    now = datetime.now(UTC)

    def builder(
        name: x509.Name, public: ec.EllipticCurvePublicKey, days: tuple[float, float]
    ) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(name).issuer_name(ca_name).public_key(public)
        made = made.serial_number(x509.random_serial_number())
        first, last = (now + timedelta(days=day) for day in days)
        return made.not_valid_before(first).not_valid_after(last)

    usage = x509.KeyUsage(*(True,) * 2, *(False,) * 3, *(True,) * 2, *(False,) * 2)
    identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    authority = builder(ca_name, ca_key.public_key(), (-10, 20))
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    authority = authority.add_extension(usage, critical=True).add_extension(identifier, critical=False)
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names += [x509.IPAddress(ip_address(address)) for address in ("127.0.0.1", "127.0.0.2")]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    server = builder(name, key.public_key(), days)
    server = server.add_extension(x509.SubjectAlternativeName(names), critical=False)
    server = server.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "ca.pem").write_bytes(authority.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    (folder / "server.pem").write_bytes(server.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    key_format = serialization.PrivateFormat.PKCS8
    (folder / "server.key").write_bytes(key.private_bytes(pem, key_format, plain))
